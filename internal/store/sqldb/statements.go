package sqldb

import (
	"context"
	"database/sql"
	"sync"
)

// maxStatements bounds how many statements stay prepared. The code has some dozens; lists with filters make more.
const maxStatements = 400

// statements keeps SQLite's compiled form of what is run again and again: compiling a small statement costs as much
// as running it.
type statements struct {
	db     *sql.DB
	mu     sync.RWMutex
	ready  map[string]*sql.Stmt
	wanted map[string]bool
}

func newStatements(db *sql.DB) *statements {
	return &statements{db: db, ready: map[string]*sql.Stmt{}, wanted: map[string]bool{}}
}

// Find returns the prepared statement, or nil and remembers that it was asked for.
func (s *statements) find(query string) *sql.Stmt {
	s.mu.RLock()
	stmt, known := s.ready[query], s.wanted[query]
	s.mu.RUnlock()
	if stmt == nil && !known {
		s.mu.Lock()
		if len(s.ready)+len(s.wanted) < maxStatements {
			s.wanted[query] = true
		}
		s.mu.Unlock()
	}
	return stmt
}

// prepare prepares what was asked for. The caller must not hold a connection: there may be only one.
func (s *statements) prepare(ctx context.Context) {
	s.mu.RLock()
	idle := len(s.wanted) == 0
	s.mu.RUnlock()
	if idle {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for query := range s.wanted {
		if stmt, err := s.db.PrepareContext(ctx, query); err == nil { //nolint:sqlclosecheck // kept until close
			s.ready[query] = stmt
		}
	}
	clear(s.wanted)
}

func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stmt := range s.ready {
		_ = stmt.Close()
	}
	clear(s.ready)
}
