package main

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"

	"github.com/millrace/millrace/integrations"
)

// What became of a row of the catalogue.
const (
	didCreate  = "created"
	didUpdate  = "updated"
	didNothing = "up to date"
)

// installIntegration creates the integration, or merges the catalogue's config over the one that is there, found by its
// name. What others added to it stays.
func installIntegration(ctx context.Context, api *client, i *integrations.Integration) (id, did string, err error) { //nolint:nonamedreturns // two texts are told apart by name
	there, err := api.find(ctx, "/integration?name="+url.QueryEscape(i.Name))
	if err != nil {
		return "", "", err
	}
	return createOrUpdate(ctx, api, "/integration", there, i.Body)
}

// installSyncJob creates the sync job, or overwrites the one with its label.
func installSyncJob(ctx context.Context, api *client, i *integrations.Integration) (id, did string, err error) { //nolint:nonamedreturns // two texts are told apart by name
	var job struct {
		Label string `json:"label"`
	}
	if err := json.Unmarshal(i.SyncJob, &job); err != nil {
		return "", "", err
	}
	query := url.Values{"integration_name": {i.Name}, "label": {job.Label}}
	there, err := api.find(ctx, "/sync-job?"+query.Encode())
	if err != nil {
		return "", "", err
	}
	return createOrUpdate(ctx, api, "/sync-job", there, i.SyncJob)
}

// createOrUpdate sends the body if there is nothing yet or if it says something new. version, which only integrations
// have, makes the server refuse the change when somebody else was faster.
func createOrUpdate(ctx context.Context, api *client, path string, there *shown, body json.RawMessage) (id, did string, err error) { //nolint:nonamedreturns // two texts are told apart by name
	var made shown
	if there == nil {
		err := api.call(ctx, "POST", path, body, &made)
		return made.ID, didCreate, err
	}
	var want map[string]any
	if err := json.Unmarshal(body, &want); err != nil {
		return "", "", err
	}
	if contains(there.all, want) {
		return there.ID, didNothing, nil
	}
	if there.Version > 0 {
		want["version"] = there.Version
	}
	err = api.call(ctx, "PATCH", path+"/"+there.ID, want, &made)
	return there.ID, didUpdate, err
}

// contains reports whether a value says all that another says: objects may have more members.
func contains(v, want any) bool {
	members, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(v, want)
	}
	has, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for key, member := range members {
		if there, ok := has[key]; !ok || !contains(there, member) {
			return false
		}
	}
	return true
}
