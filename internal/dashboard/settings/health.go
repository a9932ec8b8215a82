package settings

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace/millrace"
)

// From when on something is not well.
const (
	fewFree     = 1 << 30
	longLog     = 1 << 30
	longWait    = 2 * time.Minute
	longSilence = 6 * time.Second // three heartbeats
	longUnswept = 3 * time.Hour   // three times the time between two removals
	settled     = time.Minute     // from a start until a leader is there
	fullPerTen  = 9               // of ten connections
	mebibyte    = 1 << 20
)

// troubles says what is not well, the worst first, in the words of who has to mend it.
func (p *ServerPage) troubles(now millrace.Time, notReady error) []Trouble {
	var out []Trouble
	add := func(what, do string, args ...any) { out = append(out, Trouble{fmt.Sprintf(what, args...), do}) }
	up := now.Std().Sub(p.Started.Std())
	if notReady != nil {
		add("The server is not ready: %s.", "GET /readyz says the same, and a load balancer sends nothing here meanwhile. It goes on by itself once that is mended.", reason(notReady))
	}
	if p.KnowsFree && p.Free < fewFree {
		add("The disk of the data directory has %d MiB left.", "Make space, or move the directory to a larger disk: with SQLite the server is not ready below 8 MiB.", p.Free/mebibyte)
	}
	if p.MaxConnections > 0 {
		p.clusterTroubles(add, up)
	}
	if p.Log > longLog {
		add("SQLite's log of changes has %d MiB.", "Something has been reading for a long time, such as a backup or a shell: it can be emptied once that ends.", p.Log/mebibyte)
	}
	for i := range p.Tasks {
		t := &p.Tasks[i]
		if waits := now.Std().Sub(t.Oldest.Std()); t.Oldest > 0 && waits > longWait {
			add("A task of the kind %s has been waiting for a worker for %s.", "All workers of the kind are busy, or none is there: look at what they do below, and at the log. Another node, or a larger machine, has more.", t.Kind, waits.Round(time.Second))
		}
	}
	if last := p.Swept(); p.removes() && up > longUnswept && now.Std().Sub(last.Std()) > longUnswept {
		add("Old rows have not been removed for three hours.", "Look for the task prune in the log: the database grows until it ends.")
	}
	if p.Resealing > 0 {
		add("%d values are still to be sealed with the new encryption key.", "That goes on by itself. Keep the old key until millrace keys status says that nothing needs it.", p.Resealing)
	}
	if strings.HasPrefix(p.Public, "http:") && !strings.HasPrefix(p.Public, "http://127.0.0.1") && !strings.HasPrefix(p.Public, "http://localhost") {
		add("Browsers reach this server without encryption.", "Put it behind a proxy with a certificate, and give its https address as --public-url: sessions are then in cookies that only this host can set.")
	}
	return out
}

// removes reports whether rows of any kind are removed.
func (p *ServerPage) removes() bool {
	for _, d := range p.Keep {
		if d > 0 {
			return true
		}
	}
	return false
}

// clusterTroubles are those of nodes on PostgreSQL.
func (p *ServerPage) clusterTroubles(add func(string, string, ...any), up time.Duration) {
	leads := false
	for i := range p.Nodes {
		n := &p.Nodes[i]
		leads = leads || n.Leads
		if silent := time.Duration(n.Silent) * time.Microsecond; silent > longSilence {
			add("The node %s has not been seen for %s.", "It stands still, or cannot reach PostgreSQL. After 15 s its tasks go to the others; look at its machine and its log.", n.ID, silent.Round(time.Second))
		}
	}
	if !leads && up > settled {
		add("No node is the leader.", "What is done once for all nodes waits: the removal of old rows, and the search for work that was left. One is elected within a minute; if not, look at the log.")
	}
	if v := p.versions(); len(v) > 1 {
		add("The nodes are of different versions: %s.", "That is well while you replace them one after another. Replace the rest.", strings.Join(v, ", "))
	}
	if p.Connections*10 >= p.MaxConnections*fullPerTen {
		add("PostgreSQL has %d of %d connections in use.", "Lower pool_max_conns in the address of the database, end what else uses it, or raise max_connections.", p.Connections, p.MaxConnections)
	}
	if p.ArchiveFailed > p.Archived {
		add("PostgreSQL could not archive its log.", "A restore would end before now: look at archive_command and at the log of PostgreSQL.")
	}
}

// reason is an error in words that a page may show.
func reason(err error) string {
	if known, ok := errors.AsType[*millrace.Error](err); ok && known.Kind != millrace.KindInternal {
		return strings.TrimSuffix(known.Message, ".")
	}
	return "it cannot use what it needs; the log has the cause"
}
