package checkpoint

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

func TestCheckpointKeepsFiles(t *testing.T) {
	t.Parallel()
	record := jsonata.NewObject(1)
	record.Set("file", &expr.File{Data: []byte("\x00\xff"), ContentType: "image/png", Name: "a.png"})
	raw, err := NewValues([]jsonata.Value{record, "text"}).encoded()
	if err != nil {
		t.Fatal(err)
	}
	var back Values
	if err := back.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	o, _ := back.Items[0].(*jsonata.Object)
	if diff := cmp.Diff(expr.Member(record, "file"), expr.Member(o, "file")); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}
