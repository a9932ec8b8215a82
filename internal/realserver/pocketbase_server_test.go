package realserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"testing"
)

// How many records a PocketBase gets.
const (
	pbProjects = 9
	pbIssues   = 270
	pbComments = 520
)

// pocketBase is a PocketBase with data of its own, used through its API.
type pocketBase struct {
	rest
	token string // of a superuser, as its dashboard makes them for programs
	ids   map[string][]string
}

// startPocketBase starts an empty PocketBase and makes its collections.
func startPocketBase(t *testing.T, program string) *pocketBase {
	t.Helper()
	const email, password = "test@example.com", "a password for a test"
	dir, addr := t.TempDir(), freeAddress(t)
	create := exec.CommandContext(t.Context(), program, "superuser", "upsert", email, password, "--dir", dir, "--dev=false")
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("create a superuser: %v\n%s", err, out)
	}
	p := &pocketBase{rest: rest{base: "http://" + addr, header: "Authorization"}, ids: map[string][]string{}}
	// Without the test's context, which ends before the cleanup that kills it.
	runServer(t, p.base, "/api/health", exec.CommandContext(context.WithoutCancel(t.Context()), program, "serve", "--http", addr, "--dir", dir, "--dev=false"))
	var session struct {
		Token  string
		Record struct{ ID string }
	}
	p.do(t, http.MethodPost, "/api/collections/_superusers/auth-with-password", map[string]any{"identity": email, "password": password}, &session)
	p.value = session.Token
	p.do(t, http.MethodPost, "/api/collections/_superusers/impersonate/"+session.Record.ID, map[string]any{"duration": 3600}, &session)
	p.token = session.Token
	p.createCollections(t)
	return p
}

// createCollections makes projects, issues and comments. Logged-in users may list them.
func (p *pocketBase) createCollections(t *testing.T) {
	t.Helper()
	text := func(name string) map[string]any {
		return map[string]any{"name": name, "type": "text", "max": 1_000_000}
	}
	field := func(name, kind string) map[string]any { return map[string]any{"name": name, "type": kind} }
	collections := map[string]string{}
	relation := func(name string) map[string]any {
		return map[string]any{"name": name, "type": "relation", "collectionId": collections[name+"s"], "required": true, "cascadeDelete": true}
	}
	create := func(name string, fields ...map[string]any) {
		fields = append(fields,
			map[string]any{"name": "created", "type": "autodate", "onCreate": true},
			map[string]any{"name": "updated", "type": "autodate", "onCreate": true, "onUpdate": true})
		var made struct{ ID string }
		p.do(t, http.MethodPost, "/api/collections", map[string]any{
			"name": name, "type": "base", "listRule": "@request.auth.id != ''", "fields": fields,
		}, &made)
		collections[name] = made.ID
	}
	create("projects", text("name"), field("settings", "json"), field("home", "geoPoint"))
	create("issues", relation("project"), text("title"), field("description", "editor"), field("points", "number"), field("done", "bool"),
		field("due", "date"), field("site", "url"), field("extra", "json"),
		map[string]any{"name": "labels", "type": "select", "maxSelect": 3, "values": []string{"bug", "idea", "später"}})
	create("comments", relation("issue"), text("text"), field("meta", "json"))
}

func (p *pocketBase) path(collection string) string {
	return "/api/collections/" + collection + "/records"
}

// seed creates the records.
func (p *pocketBase) seed(t *testing.T) {
	t.Helper()
	p.createMany(t, "projects", pbProjects, func(n int) map[string]any {
		return map[string]any{
			"name": fmt.Sprintf("%d %s", n, awkward(n)), "settings": awkwardJSON(n), "home": map[string]any{"lon": 21.0122287 + float64(n), "lat": -52.2296756},
		}
	})
	p.createMany(t, "issues", pbIssues, p.issue)
	p.createMany(t, "comments", pbComments, p.comment)
}

func (p *pocketBase) issue(n int) map[string]any {
	points := []float64{0, 1, -1, 0.1, 1e-9, 3.141592653589793, 1e21, 9007199254740991, -2.5e-7}
	record := map[string]any{
		"project": p.ids["projects"][n*n%pbProjects], "title": fmt.Sprintf("%d %s", n, awkward(n)), "description": "<p>" + awkward(n+3) + "</p>",
		"points": points[n%len(points)], "done": n%2 == 0, "extra": awkwardJSON(n), "labels": []string{"bug", "idea", "später"}[:n%4],
	}
	if n%3 == 0 {
		record["due"], record["site"] = "2026-02-28T23:59:59.999+05:30", "https://example.com/?a=b&c=%20"
	}
	return record
}

func (p *pocketBase) comment(n int) map[string]any {
	// Some issues have many comments, many have none.
	return map[string]any{"issue": p.ids["issues"][n*7%(pbIssues-70)], "text": awkward(n), "meta": awkwardJSON(n + 1)}
}

// awkwardJSON returns values that JSON has and programs confuse.
func awkwardJSON(n int) any {
	values := []string{
		`null`, `{}`, `[]`, `""`, `0`, `false`, `[[]]`, `[null]`, `{"":""}`, `[1,[2,[3,{"four":[4]}]]]`,
		`{"a":null,"b":[null,{"c":null}],"10":1,"9":2,"__proto__":{"x":1},"constructor":3,"sequence":true}`,
		`{"é":"\u0000","a b":"\ud83d\ude00","a.b":1.5,"a[0]":-0.000001}`, `"text"`, `[0.1,1e-7,123456789012,5e-324,1.7976931348623157e308]`,
	}
	return json.RawMessage(values[n%len(values)])
}

func (p *pocketBase) createMany(t *testing.T, collection string, n int, record func(n int) map[string]any) {
	t.Helper()
	ids := make([]string, n)
	each(t, n, func(i int) error {
		var made struct{ ID string }
		err := p.try(t.Context(), http.MethodPost, p.path(collection), record(i), &made)
		ids[i] = made.ID
		return err
	})
	p.ids[collection] = append(p.ids[collection], ids...)
}

// all returns what the server says it has, in pages of another size than the integration asks for.
func (p *pocketBase) all(t *testing.T) records {
	t.Helper()
	out := records{}
	for collection := range p.ids {
		for page := 1; ; page++ {
			var response struct {
				TotalPages int
				Items      []json.RawMessage
			}
			query := url.Values{"page": {fmt.Sprint(page)}, "perPage": {"77"}, "sort": {"id"}}
			p.do(t, http.MethodGet, p.path(collection)+"?"+query.Encode(), nil, &response)
			for _, item := range response.Items {
				if err := out.add(collection, item); err != nil {
					t.Fatal(err)
				}
			}
			if page >= response.TotalPages {
				break
			}
		}
	}
	return out
}

// change changes, adds and deletes some records and returns the ids of those that are new or changed, and of those that
// are gone.
func (p *pocketBase) change(t *testing.T) (map[string][]string, map[string][]string) {
	t.Helper()
	changed := map[string][]string{"projects": {p.ids["projects"][2]}, "issues": p.ids["issues"][10:33], "comments": p.ids["comments"][200:207]}
	for collection, field := range map[string]string{"projects": "name", "issues": "title", "comments": "text"} {
		for n, id := range changed[collection] {
			p.do(t, http.MethodPatch, p.path(collection)+"/"+id, map[string]any{field: fmt.Sprintf("changed %d %s", n, awkward(n+5))}, nil)
		}
	}
	before := len(p.ids["issues"])
	p.createMany(t, "issues", 5, p.issue)
	changed["issues"] = append(changed["issues"][:23:23], p.ids["issues"][before:]...)
	before = len(p.ids["comments"])
	p.createMany(t, "comments", 11, p.comment)
	changed["comments"] = append(changed["comments"][:7:7], p.ids["comments"][before:]...)
	gone := map[string][]string{"comments": p.ids["comments"][100:120]}
	for _, id := range gone["comments"] {
		p.do(t, http.MethodDelete, p.path("comments")+"/"+id, nil, nil)
	}
	return changed, gone
}

// user creates a user who is not a superuser and returns a token of theirs.
func (p *pocketBase) user(t *testing.T) string {
	t.Helper()
	var made struct {
		ID    string
		Token string
	}
	p.do(t, http.MethodPost, p.path("users"), map[string]any{
		"email": "reader@example.com", "password": "another password", "passwordConfirm": "another password",
	}, &made)
	p.do(t, http.MethodPost, "/api/collections/users/impersonate/"+made.ID, map[string]any{"duration": 3600}, &made)
	return made.Token
}

// limit lets users list so many pages in so many seconds.
func (p *pocketBase) limit(t *testing.T, pages, seconds int) {
	t.Helper()
	p.do(t, http.MethodPatch, "/api/settings", map[string]any{"rateLimits": map[string]any{
		"enabled": true, "rules": []any{map[string]any{"label": "*:list", "duration": seconds, "maxRequests": pages}},
	}}, nil)
}
