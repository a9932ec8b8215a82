package inbound

import (
	"testing"

	"github.com/millrace/millrace"
)

func TestNamesOfProvidersMakeRecordEvents(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"created": millrace.EventRecordCreated, "record:deleted": millrace.EventRecordDeleted, "CREATE": millrace.EventRecordCreated,
		"contact.updated": millrace.EventRecordUpdated, "contact.propertyChange": millrace.EventRecordUpdated, "contact.deletion": millrace.EventRecordDeleted,
		"jira:issue_created": millrace.EventRecordCreated, "added.deal": millrace.EventRecordCreated, "orders/create": millrace.EventRecordCreated,
		"message": millrace.EventRecordMeta, "merge": millrace.EventRecordMeta, "invoice.paid": millrace.EventRecordMeta, "ÄNDERUNG": millrace.EventRecordMeta,
		"created_or_deleted": millrace.EventRecordMeta, "💥": millrace.EventRecordMeta,
		"creatd": "", "record:crated": "", "record:message": "",
	} {
		got, why := recordEvent(said)
		if got != want || (why == nil) != (want != "") {
			t.Errorf("%s: got %q, %v; want %q", said, got, why, want)
		}
	}
}
