package millracetest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// TestDeletionOfAnEnvironmentSurvivesKills kills the command that deletes an environment again and again, beside a server. Once the
// wish is stored, the environment's token never works again, and in the end only the other environment is left.
func TestDeletionOfAnEnvironmentSurvivesKills(t *testing.T) {
	t.Parallel()
	binary := millracetest.Binary(t)
	storetest.EachURL(t, func(t *testing.T, url string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		server := millracetest.Start(t, url, nil)
		gone, kept := server.NewEnvironment(t, "Gone"), server.NewEnvironment(t, "Kept")
		db := millracetest.OpenStore(t, url)
		for _, c := range []*millracetest.Client{gone, kept} {
			fill(t, db, environmentOf(t, c))
		}
		id := environmentOf(t, gone)
		before := eventsOf(t, db, environmentOf(t, kept))
		kills, trace, dead := 0, []int{eventsOf(t, db, id)}, false
		start := startTime(t, binary, server.Flags())
		for killed := true; killed; {
			// What the machine needs to start a process differs: each gets a little more time than the last.
			killed = deleteOrKill(t, binary, server.Flags(), string(id), start*9/10+time.Duration(random.IntN(50)+25*kills)*time.Millisecond)
			if killed {
				kills++
				trace = append(trace, eventsOf(t, db, id))
			}
			has := tokensOf(t, db, id)
			if dead && has > 0 || trace[len(trace)-1] < trace[0] && has > 0 {
				t.Errorf("after %d kills it has %d tokens, and rows are gone: %v", kills, has, trace)
			}
			dead = has == 0
			if kills > 300 {
				t.Fatal("the deletion does not get on")
			}
		}
		t.Logf("%d kills; events before and after each: %v", kills, trace)
		if left := eventsOf(t, db, id); left != 0 {
			t.Errorf("%d events are left", left)
		}
		millracetest.Wait(t, time.Minute, func() (bool, any) { // a server remembers a token for 5 s
			status, response, err := gone.Call(t.Context(), http.MethodGet, "/environment", "", nil)
			return err == nil && status == http.StatusUnauthorized, string(response)
		})
		if after := eventsOf(t, db, environmentOf(t, kept)); after != before {
			t.Errorf("the other environment has %d events, before %d", after, before)
		}
		var list struct{ Result []struct{ ID string } }
		if err := kept.Get(t.Context(), "/event?limit=1", &list); err != nil || len(list.Result) != 1 {
			t.Errorf("the other environment: %+v, %v", list, err)
		}
	})
}

func environmentOf(t *testing.T, c *millracetest.Client) millrace.EnvironmentID {
	t.Helper()
	var own struct{ Result []struct{ ID string } }
	if err := c.Get(t.Context(), "/environment", &own); err != nil {
		t.Fatal(err)
	}
	return millrace.EnvironmentID(own.Result[0].ID)
}

// fill stores many events with decisions.
func fill(t *testing.T, db *store.DB, env millrace.EnvironmentID) {
	t.Helper()
	for part := range 4 {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			events := make([]*millrace.Event, 1000)
			for i := range events {
				events[i] = &millrace.Event{EnvironmentID: env, Name: "custom:x", IdempotencyKey: fmt.Sprint(part, " ", i)}
			}
			_, err := tx.Events().CreateAll(t.Context(), events)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func tokensOf(t *testing.T, db *store.DB, env millrace.EnvironmentID) int {
	t.Helper()
	return len(storetest.Strings(t, db, "SELECT id FROM api_token WHERE environment_id = '"+string(env)+"'"))
}

func eventsOf(t *testing.T, db *store.DB, env millrace.EnvironmentID) int {
	t.Helper()
	n := 0
	err := db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Rows().OfEnvironment(t.Context(), env)
		for _, r := range rows {
			if r.What == "events" {
				n = int(r.Rows)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// startTime is what a command takes here that only reads.
func startTime(t *testing.T, binary string, flags []string) time.Duration {
	t.Helper()
	began := time.Now()
	if out, err := exec.CommandContext(t.Context(), binary, append([]string{"environment", "list"}, flags...)...).CombinedOutput(); err != nil {
		t.Fatalf("list: %v\n%s", err, out)
	}
	return time.Since(began)
}

// deleteOrKill runs the command and kills it after a time. It reports whether it had to.
func deleteOrKill(t *testing.T, binary string, flags []string, id string, after time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"environment", "delete", "--force", id}, flags...)...) // killed with SIGKILL
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil {
		t.Fatalf("delete: %v\n%s", err, out)
	}
	return err != nil
}
