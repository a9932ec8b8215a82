package millracetest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
	"github.com/millrace/millrace/webhook"
)

const filesIntegration = `{"name":"papers","category":"files","config":{"label":"Papers","base_url":"%s","authorization":{"format":"bearer","config":{"token":"{{key}}"}},
"resources":{"documents":{"list":{"path":"/documents"},"download":{"path":"/documents/{{id}}/content"}},"copies":{"create":{"method":"post","path":"/copies","body_format":"raw"}}}}}`

// Files that a run downloads arrive as a signed form, and what a job uploads again is the same bytes.
func TestFilesAmongRecords(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		content := func(id string) []byte { return bytes.Repeat([]byte("\x00\xff"+id), 1000) }
		var mu sync.Mutex
		copies, got := map[string]bool{}, map[string]webhook.File{}
		third := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/documents":
				w.Header().Set("Content-Type", "application/json")
				_, _ = fmt.Fprint(w, `[{"id":"a"},{"id":"b"}]`)
			case r.Method == http.MethodPost:
				var sent bytes.Buffer
				_, _ = sent.ReadFrom(r.Body)
				mu.Lock()
				copies[sent.String()] = true
				mu.Unlock()
				_, _ = fmt.Fprint(w, `{}`)
			default:
				id := strings.Split(r.URL.Path, "/")[2]
				w.Header().Set("Content-Type", "application/pdf")
				w.Header().Set("Content-Disposition", `attachment; filename="`+id+`.pdf"`)
				_, _ = w.Write(content(id))
			}
		}))
		t.Cleanup(third.Close)
		verifier, err := webhook.NewVerifier("whsec_" + "bWlsbHJhY2UtdGVzdC1zZWNyZXQtMzItYnl0ZXMtbG9uZw==")
		if err != nil {
			t.Fatal(err)
		}
		receiver := httptest.NewServer(webhook.NewHandler(verifier, webhook.NewMemory(100), func(_ context.Context, d *webhook.Delivery) error {
			if d.Event != "sync_job_run:record" {
				return nil
			}
			var records []struct{ File, Name string }
			if err := d.Records(&records); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, r := range records {
				got[r.Name] = d.Files[r.File]
			}
			return nil
		}))
		t.Cleanup(receiver.Close)

		s := millracetest.Start(t, url, nil)
		post := func(path, body string) string {
			t.Helper()
			var made struct{ ID string }
			if err := s.Send(t.Context(), http.MethodPost, path, "application/json", []byte(body), &made); err != nil {
				t.Fatal(err)
			}
			return made.ID
		}
		install := post("/environment-integration", fmt.Sprintf(`{"integration_id":%q}`, post("/integration", fmt.Sprintf(filesIntegration, third.URL))))
		account := post("/integrated-account", fmt.Sprintf(`{"tenant_id":"t","environment_integration_id":%q,"authentication_method":"api_key","context":{"key":"k"}}`, install))
		hook := post("/webhook", fmt.Sprintf(`{"target_url":%q,"secret":"whsec_%s","event_types":["sync_job_run:deleted"]}`, receiver.URL, "bWlsbHJhY2UtdGVzdC1zZWNyZXQtMzItYnl0ZXMtbG9uZw=="))
		job := post("/sync-job", `{"default_runtime_version":4,"error_handling":"fail_fast","resources":[
			{"name":"documents","type":"request","resource":"documents","method":"list"},
			{"name":"content","type":"request","resource":"documents","method":"download","id":"{{resources.documents.id}}","depends_on":"documents","persist":true},
			{"name":"copy","type":"request","resource":"copies","method":"create","body":"{{resources.content}}","depends_on":"content"}]}`)
		run := post("/sync-job-run", fmt.Sprintf(`{"sync_job_id":%q,"integrated_account_id":%q,"webhook_id":%q}`, job, account, hook))
		var row struct {
			Status string
			Error  any
		}
		millracetest.Wait(t, time.Minute, func() (bool, any) {
			err := s.Get(t.Context(), "/sync-job-run/"+run, &row)
			return err == nil && (row.Status == "completed" || row.Status == "failed"), row
		})
		if row.Status != "completed" {
			t.Fatalf("the run is %+v", row)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, id := range []string{"a", "b"} {
			f := got[id+".pdf"]
			if !bytes.Equal(f.Data, content(id)) || f.ContentType != "application/pdf" || f.Name != id+".pdf" {
				t.Errorf("document %s arrived as %d bytes of %s named %s", id, len(f.Data), f.ContentType, f.Name)
			}
			if !copies[string(content(id))] {
				t.Errorf("document %s was not uploaded again unchanged", id)
			}
		}
	})
}
