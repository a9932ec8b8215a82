package millracetest_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store"
	"github.com/millrace/millrace/internal/store/storetest"
)

// takeover is how long it may take until everything that a lost node was working on has been done by the other.
const takeover = 40 * time.Second

// cluster is two nodes on one database, under load.
type cluster struct {
	nodes [2]*millracetest.Node
	load  *millracetest.Load
	db    *store.DB
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	url, binary, key := storetest.Postgres(t), millracetest.Binary(t), newKey()
	_, seed := seeded(t)
	c := &cluster{}
	for i := range c.nodes {
		c.nodes[i] = millracetest.NewNode(t, binary, url, key)
		c.nodes[i].Start(t)
	}
	for _, node := range c.nodes {
		node.WaitReady(t, time.Minute)
	}
	token := c.nodes[0].Token(t)
	c.load = millracetest.NewLoad(t, 0.01, seed, millracetest.NewClient(c.nodes[0].Base, token), millracetest.NewClient(c.nodes[1].Base, token))
	c.db = millracetest.OpenStore(t, url)
	return c
}

// under puts the cluster under load, lets act do its harm in the middle, and waits until everything is done.
func (c *cluster) under(t *testing.T, act func()) time.Duration {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	callers.Go(func() { c.load.Run(ctx, pace(t)) })
	c.busy(t, 40)
	began := time.Now()
	act()
	c.busy(t, 3) // one of each caller: requests to a node that is paused take as long as their timeout
	stop()
	callers.Wait()
	millracetest.Settle(t, c.db, takeover)
	return time.Since(began)
}

// busy waits until so many more events were accepted, and runs are under way.
func (c *cluster) busy(t *testing.T, more int) {
	t.Helper()
	_, before := c.load.Accepted()
	millracetest.Wait(t, takeover, func() (bool, any) {
		_, events := c.load.Accepted()
		return len(events) >= len(before)+more && c.load.Underway() > 0, len(events) - len(before)
	})
}

// beat waits until every node has sent a heartbeat from now on. A node that was paused has then gone on where it was
// interrupted.
func (c *cluster) beat(t *testing.T) {
	t.Helper()
	const clock = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
	var now int64
	if err := c.db.Postgres().QueryRow(t.Context(), "SELECT "+clock).Scan(&now); err != nil {
		t.Fatalf("read the clock: %v", err)
	}
	millracetest.Wait(t, takeover, func() (bool, any) {
		var n int
		if err := c.db.Postgres().QueryRow(t.Context(), "SELECT count(*) FROM node WHERE seen_at > $1", now).Scan(&n); err != nil {
			t.Fatalf("count nodes: %v", err)
		}
		return n == len(c.nodes), n
	})
}

// checkAlive fails the test when a node has ended by itself.
func (c *cluster) checkAlive(t *testing.T) {
	t.Helper()
	for _, node := range c.nodes {
		if node.Ended() {
			t.Fatalf("the node %s has ended by itself", node.Base)
		}
	}
}

// alive returns how many nodes are believed to be alive.
func (c *cluster) alive(t *testing.T) int {
	t.Helper()
	var n int
	if err := c.db.Postgres().QueryRow(t.Context(), "SELECT count(*) FROM node").Scan(&n); err != nil {
		t.Fatalf("count nodes: %v", err)
	}
	return n
}

// One of two nodes is killed: the other finishes what it was working on.
func TestTwoNodesOneKilled(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	nodes := c.nodes[:1]
	if crashes(t) > quick {
		nodes = c.nodes[:] // either may be the leader
	}
	for i, node := range nodes {
		took := c.under(t, node.Kill)
		t.Logf("node %d killed: all was done %s later", i, took.Round(time.Millisecond))
		if took > takeover {
			t.Errorf("it took %s, want at most %s", took, takeover)
		}
		node.Start(t)
		node.WaitReady(t, time.Minute)
	}
	c.load.Check(t, c.db)
	logProgress(t, c.load, nil)
	logErrors(t, c.nodes[:]...)
}

// pauseUntilTakeover lets a node go on just when the other has taken over and is in the middle of the same runs, which a
// slow webhook draws out.
func (c *cluster) pauseUntilTakeover(t *testing.T, node *millracetest.Node) {
	t.Helper()
	c.load.SlowDown(true)
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	callers.Go(func() { c.load.Run(ctx, pace(t)) })
	c.busy(t, 40)
	stop()
	node.Pause(t)
	paused := time.Now()
	callers.Wait()
	var buried time.Time
	millracetest.Wait(t, takeover, func() (bool, any) {
		c.checkAlive(t)
		if buried.IsZero() && c.alive(t) == 1 {
			buried = time.Now()
		}
		// By then, the other node has long finished what it had itself.
		last := c.load.Last()
		return !buried.IsZero() && last.After(buried), last
	})
	c.checkAlive(t)
	node.Resume(t)
	t.Logf("node paused until its work was taken over %s later, with %d runs under way", time.Since(paused).Round(time.Millisecond), c.load.Underway())
	c.beat(t)
	resumed := time.Now()
	millracetest.Wait(t, takeover, func() (bool, any) { // both at once, unless nothing is left
		last, underway := c.load.Last(), c.load.Underway()
		// Below zero: runs of requests that were stored, and whose caller gave up waiting for the paused node's response.
		return last.After(resumed) || underway <= 0, underway
	})
	c.load.SlowDown(false)
	millracetest.Settle(t, c.db, takeover)
}

// One of two nodes stops, perhaps in the middle of transactions, for so long that the other takes over and finishes
// everything. Then it goes on as if nothing had happened: it must not undo or overtake anything.
func TestTwoNodesOnePaused(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	node := c.nodes[0]
	took := c.under(t, func() { node.Pause(t) })
	t.Logf("node paused: all was done %s later", took.Round(time.Millisecond))
	if took > takeover {
		t.Errorf("it took %s, want at most %s", took, takeover)
	}
	node.Resume(t)
	c.beat(t)
	millracetest.Settle(t, c.db, takeover)
	c.pauseUntilTakeover(t, node)
	c.load.Check(t, c.db)
	logProgress(t, c.load, nil)
	logErrors(t, c.nodes[:]...)
	for _, node := range c.nodes {
		node.Stop(t)
	}
}
