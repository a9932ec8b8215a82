package main

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"

	"github.com/millrace/millrace/client"
	"github.com/millrace/millrace/integrations"
)

// outcome is a row of the server and what was done to it.
type outcome struct{ id, did string }

// What is done to a row.
const (
	didCreate  = "created"
	didUpdate  = "updated"
	didInstall = "installed"
	didNothing = "up to date"
)

// installer creates rows on a server, or brings them up to date.
type installer struct{ *client.Client }

// installIntegration creates the integration, or merges the catalogue's config over the one that is there, found by its
// name. What others added to it stays.
func (c installer) installIntegration(ctx context.Context, i *integrations.Integration) (outcome, error) {
	there, err := c.first(ctx, "/integration?name="+url.QueryEscape(i.Name))
	if err != nil {
		return outcome{}, err
	}
	return c.createOrUpdate(ctx, "/integration", there, i.Body)
}

// installSyncJob creates the sync job, or overwrites the one with its label.
func (c installer) installSyncJob(ctx context.Context, i *integrations.Integration) (outcome, error) {
	var job struct {
		Label string `json:"label"`
	}
	if err := json.Unmarshal(i.SyncJob, &job); err != nil {
		return outcome{}, err
	}
	query := url.Values{"integration_name": {i.Name}, "label": {job.Label}}
	there, err := c.first(ctx, "/sync-job?"+query.Encode())
	if err != nil {
		return outcome{}, err
	}
	return c.createOrUpdate(ctx, "/sync-job", there, i.SyncJob)
}

// shown is a row as the API shows it. version is zero for what has none.
type shown struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	all     map[string]any
}

// UnmarshalJSON keeps all members, to be compared.
func (v *shown) UnmarshalJSON(b []byte) error {
	type plain shown
	if err := json.Unmarshal(b, (*plain)(v)); err != nil {
		return err
	}
	return json.Unmarshal(b, &v.all)
}

// first returns the first row of a list, nil when it is empty.
func (c installer) first(ctx context.Context, path string) (*shown, error) {
	var list struct {
		Result []*shown `json:"result"`
	}
	if err := c.Get(ctx, path, &list); err != nil || len(list.Result) == 0 {
		return nil, err
	}
	return list.Result[0], nil
}

// createOrUpdate sends the body if there is nothing yet or if it says something new. The version, which only integrations
// have, makes the server reject the change when another one came first.
func (c installer) createOrUpdate(ctx context.Context, path string, there *shown, body json.RawMessage) (outcome, error) {
	var made shown
	if there == nil {
		err := c.Post(ctx, path, body, &made)
		return outcome{made.ID, didCreate}, err
	}
	var want map[string]any
	if err := json.Unmarshal(body, &want); err != nil {
		return outcome{}, err
	}
	if contains(there.all, want) {
		return outcome{there.ID, didNothing}, nil
	}
	if there.Version > 0 {
		want["version"] = there.Version
	}
	err := c.Patch(ctx, path+"/"+there.ID, want, &made)
	return outcome{there.ID, didUpdate}, err
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
