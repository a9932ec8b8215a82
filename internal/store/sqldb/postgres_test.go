package sqldb

import (
	"strings"
	"testing"
)

// A number of connections that a server cannot work with is rejected, not replaced.
func TestTooFewConnectionsAreRejected(t *testing.T) {
	t.Parallel()
	_, err := openPostgres(t.Context(), Config{URL: "postgres://127.0.0.1:1/none?pool_max_conns=7"}, nil)
	if err == nil || !strings.Contains(err.Error(), "pool_max_conns=7") || !strings.Contains(err.Error(), "at least 8") {
		t.Errorf("got %v", err)
	}
}
