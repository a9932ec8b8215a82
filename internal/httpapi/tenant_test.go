package httpapi_test

import (
	"testing"

	"github.com/millrace/millrace/internal/store/storetest"
)

func TestEraseCustomers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two := w.account("first").id(), w.account("second").id()
		if d := w.delete("/integrated-account/" + one).ok(); d.id() != one || d.m["erasing"] != true {
			t.Errorf("deleting an account responds %v", d.m)
		}
		w.delete("/integrated-account/" + one).rejected(404)
		tenant := w.get("/integrated-account/" + two).ok().str("tenant_id")

		w.delete("/tenant/" + tenant).rejected(409)
		w.delete("/tenant/" + tenant + "?erase=maybe").rejected(400)
		w.delete("/tenant/" + tenant + "?force=true").rejected(400)
		w.get("/integrated-account/" + two).ok()
		if d := w.delete("/tenant/" + tenant + "?erase=true").ok(); d.id() != tenant || d.m["erasing"] != true || d.m["accounts"] != 1.0 {
			t.Errorf("deleting a tenant responds %v", d.m)
		}
		w.get("/integrated-account/" + two).rejected(404)
		w.delete("/tenant/none").ok()
		got := storetest.Strings(t, w.db, "SELECT CAST(COUNT(*) AS TEXT) FROM erasure")
		if len(got) != 1 || got[0] != "4" {
			t.Errorf("%q erasures are under way, want two of accounts and two of tenants", got)
		}
	})
}
