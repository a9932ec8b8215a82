package syncjob

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/syncjob/evaluate"
	"github.com/millrace/millrace/internal/syncjob/plan"
	"github.com/millrace/millrace/jsonata"
)

func TestDeliveryWithFilesIsAForm(t *testing.T) {
	t.Parallel()
	id := millrace.NewID[millrace.DeliveryID]()
	report := &expr.File{Data: []byte("%PDF \x00\xff millrace-" + string(id) + "-0"), ContentType: "application/pdf", Name: "Q1 \"final\"\r\nX: y.pdf"}
	photo := &expr.File{Data: []byte{1, 2}}
	record := jsonata.NewObject(2)
	record.Set("id", float64(7))
	record.Set("attachments", jsonata.NewArray(report, photo))
	out := evaluate.Output{Event: millrace.EventRunRecord, Resource: "documents", Records: []jsonata.Value{record}, Node: &plan.Node{Name: "documents"}}
	whole, payload, err := body(&millrace.SyncJobRun{}, &pending{FrozenDelivery: millrace.FrozenDelivery{Delivery: millrace.Delivery{ID: id}}}, out)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := body(&millrace.SyncJobRun{}, &pending{FrozenDelivery: millrace.FrozenDelivery{Delivery: millrace.Delivery{ID: id}}}, out)
	if err != nil || !bytes.Equal(whole, again) {
		t.Errorf("a repetition has other bytes: %v", err)
	}
	kind, params, err := mime.ParseMediaType(millrace.DeliveryContentType(whole))
	if err != nil || kind != "multipart/form-data" {
		t.Fatalf("got type %s, %v", kind, err)
	}
	r := multipart.NewReader(bytes.NewReader(whole), params["boundary"])
	type got struct{ Name, File, Type, Data string }
	var parts []got
	for {
		p, err := r.NextPart()
		if err == io.EOF { //nolint:errorlint // as documented
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, got{p.FormName(), p.FileName(), p.Header.Get("Content-Type"), string(data)})
	}
	if len(parts) != 3 || parts[0].Name != "payload" || parts[0].Type != "application/json" {
		t.Fatalf("got parts %+v", parts)
	}
	want := []got{
		{"file-1", "Q1 %22final%22%0D%0AX: y.pdf", "application/pdf", string(report.Data)},
		{"file-2", "file-2", "application/octet-stream", "\x01\x02"},
	}
	if diff := cmp.Diff(want, parts[1:]); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	var envelope struct{ Payload json.RawMessage }
	if err := json.Unmarshal([]byte(parts[0].Data), &envelope); err != nil || !bytes.Equal(envelope.Payload, payload) {
		t.Errorf("payload %s, want %s: %v", envelope.Payload, payload, err)
	}
	stands := `{"file":"file-2","name":"","content_type":"","size":2}`
	if !strings.Contains(string(payload), stands) {
		t.Errorf("payload %s, want %s in it", payload, stands)
	}
}
