package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// lockPatience is how long the lock of the file is waited for until another process is blamed, where it cannot be seen who holds
// it. The queue uses the same connection, and on a busy machine that alone can take seconds.
const lockPatience = 8 * time.Second

const lockedMessage = "the database is locked by another process; nothing was stored"

// begun is the response to a BEGIN.
type begun struct {
	tx  *sql.Tx
	err error
}

func (b *sqliteBackend) beginning() <-chan begun {
	response := make(chan begun, 1)
	go func() {
		tx, err := b.writer.BeginTx(context.Background(), nil)
		response <- begun{tx, err}
	}()
	return response
}

// begin begins the transaction of a leader. Another process may hold the lock of the file, which is noticed after a while, so
// that callers of Guard need not wait for it. It returns nil, and the update has its error, when the leader cannot go on; who leads
// next is taken care of.
func (b *sqliteBackend) begin(first *sqliteUpdate) *sql.Tx {
	response := b.beginning()
	timer := time.NewTimer(lockPatience)
	defer timer.Stop()
	ticker := time.NewTicker(pulseEvery)
	defer ticker.Stop()
	other := b.newOther()
	for {
		select {
		case r := <-response:
			if r.err == nil {
				b.pulse.hear()
				return r.tx
			}
			first.err = fmt.Errorf("begin: %w", r.err)
			if sqliteCode(r.err)&0xff == sqlite3.SQLITE_BUSY {
				b.recover(b.beginning())
			} else {
				b.pass()
			}
			return nil
		case <-timer.C:
			b.pulse.silence(lockedMessage)
		case <-ticker.C:
			if other.blocks() {
				b.pulse.silence(lockedMessage)
			}
		case <-first.ctx.Done():
			first.err = context.Cause(first.ctx)
			b.recover(response)
			return nil
		}
	}
}

// recover waits, instead of a leader whose caller has gone, until the file can be written again, and lets the next lead.
func (b *sqliteBackend) recover(response <-chan begun) {
	b.recovery.Go(func() {
		defer b.pass()
		for {
			r := <-response
			if r.err == nil {
				_ = r.tx.Rollback()
			}
			if sqliteCode(r.err)&0xff != sqlite3.SQLITE_BUSY {
				b.pulse.hear()
				return
			}
			b.pulse.silence(lockedMessage)
			b.mu.Lock()
			closed := b.closed
			b.mu.Unlock()
			if closed {
				return
			}
			response = b.beginning()
		}
	})
}
