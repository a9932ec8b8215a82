package realserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
)

// How much a Redmine gets. It takes its time for each.
const (
	rmProjects = 5
	rmIssues   = 110 // more than a page
	rmNotes    = 70
)

// redmine is Debian's Redmine on a database of its own, used through its API.
type redmine struct {
	rest
	projects, issues []int
}

// startRedmine starts an empty Redmine.
func startRedmine(t *testing.T) *redmine {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "redmine.rb"))
	if err != nil {
		t.Fatal(err)
	}
	dir, addr := t.TempDir(), freeAddress(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	// Without the test's context, which ends before the cleanup that kills it.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "ruby", script, host, port, dir)
	cmd.Env = append(os.Environ(), "LANG=C.UTF-8")
	r := &redmine{rest: rest{base: "http://" + addr, header: "X-Redmine-API-Key"}}
	runServer(t, r.base, "/login", cmd)
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	r.value = string(key)
	return r
}

// seed creates projects, some of them below others, issues, some of them below others, and notes on issues.
func (r *redmine) seed(t *testing.T) {
	t.Helper()
	for n := range rmProjects {
		project := map[string]any{"name": fmt.Sprintf("%d ż %s", n, `"q" <b>`), "identifier": fmt.Sprintf("p-%d", n), "description": rubyText(n + 2)}
		if n > 2 {
			project["parent_id"] = r.projects[n-2]
		}
		r.projects = append(r.projects, r.create(t, "project", project))
	}
	for n := range rmIssues {
		r.issues = append(r.issues, r.create(t, "issue", r.issue(n)))
	}
	for n := range rmNotes {
		r.edit(t, r.issues[n*7%(rmIssues-30)], map[string]any{"notes": fmt.Sprintf("note %d %s", n, rubyText(n)), "done_ratio": n % 11 * 10})
	}
}

func (r *redmine) issue(n int) map[string]any {
	issue := map[string]any{
		"project_id": r.projects[n*n%rmProjects], "subject": fmt.Sprintf("%d 🎉 %.80s", n, rubyText(n)), "description": rubyText(n + 3),
		"tracker_id": 1 + n%3, "priority_id": 1 + n%5, "is_private": n%6 == 0,
	}
	if n%4 == 0 {
		issue["due_date"], issue["estimated_hours"] = "2099-12-31", 0.1+float64(n)/3
	}
	if n%9 == 8 {
		issue["status_id"] = 5 // closed
	}
	if n%10 == 9 && n > 40 { // those before are changed and deleted, which would change their parents
		issue["parent_issue_id"] = r.issues[n-5] // of the same project
	}
	return issue
}

// rubyText is awkward text that Redmine takes.
func rubyText(n int) string { return strings.NewReplacer("\u0007", "", "\r", "").Replace(awkward(n)) }

// create creates something and returns its number.
func (r *redmine) create(t *testing.T, kind string, fields map[string]any) int {
	t.Helper()
	var made map[string]struct{ ID int }
	r.do(t, http.MethodPost, "/"+kind+"s.json", map[string]any{kind: fields}, &made)
	return made[kind].ID
}

func (r *redmine) edit(t *testing.T, issue int, fields map[string]any) {
	t.Helper()
	r.do(t, http.MethodPut, fmt.Sprintf("/issues/%d.json", issue), map[string]any{"issue": fields}, nil)
}

// all returns what the server says it has: projects, and issues with all that hangs on them.
func (r *redmine) all(t *testing.T) records {
	t.Helper()
	out := records{}
	var projects struct{ Projects []json.RawMessage }
	r.do(t, http.MethodGet, "/projects.json?limit=100", nil, &projects)
	for _, project := range projects.Projects {
		if err := out.add("projects", project); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range r.issues {
		var one struct{ Issue json.RawMessage }
		r.do(t, http.MethodGet, fmt.Sprintf("/issues/%d.json?include=journals,relations,children,attachments,watchers", id), nil, &one)
		if err := out.add("issues", one.Issue); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// change adds notes to some issues, closes one, adds some and deletes some, and returns the ids of what a sync of the
// changes must bring.
func (r *redmine) change(t *testing.T) map[string][]string {
	t.Helper()
	changed := map[string][]string{}
	for _, id := range r.projects {
		changed["projects"] = append(changed["projects"], fmt.Sprint(id))
	}
	for n, id := range r.issues[20:26] {
		fields := map[string]any{"notes": fmt.Sprintf("changed %d %s", n, rubyText(n+4))}
		if n == 5 {
			fields["status_id"] = 5
		}
		r.edit(t, id, fields)
		changed["issues"] = append(changed["issues"], fmt.Sprint(id))
	}
	for n := range 3 {
		id := r.create(t, "issue", r.issue(n))
		r.issues = append(r.issues, id)
		changed["issues"] = append(changed["issues"], fmt.Sprint(id))
	}
	for _, id := range r.issues[1:4] {
		r.do(t, http.MethodDelete, fmt.Sprintf("/issues/%d.json", id), nil, nil)
	}
	r.issues = append(r.issues[:1:1], r.issues[4:]...)
	return changed
}

// nextSecond waits until the second is over in which something was changed: Redmine's times know no parts of it.
func nextSecond(t *testing.T) {
	t.Helper()
	now := time.Now().Unix()
	millracetest.Wait(t, patience, func() (bool, any) { return time.Now().Unix() > now, now })
}
