package settings

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/dashboard/editor"
	"github.com/millrace/millrace/internal/store"
)

// Server is what the page of the server shows of this process, beside what the database knows. The zero value is a process that says nothing of
// itself. Nothing of it is a secret.
type Server struct {
	Started  millrace.Time
	Node     string // its id among the nodes; empty: it is the only one
	Database string // kind and name, without credentials
	DataDir  string
	Dev      bool   // outbound requests may go to this machine
	Flags    []Flag // nil: it was not started by millrace serve
	Keep     map[millrace.Kept]time.Duration

	PublicURL func() string
	Measure   func() Measure
	Keys      func(context.Context) ([]Key, error)
	Ready     func(context.Context) error // why the process cannot do its work
}

// Flag is a setting of the server.
type Flag struct {
	Name, Value, Default string // of a secret Value says only that there is one
	Changed              bool   // from the default
	Source               string // the flag, variable, or line of a file that it comes from
	Help                 string
}

// Key is an encryption key.
type Key struct {
	Name  string
	Since millrace.Time // 0: not known
	Given bool          // to this process
	Now   bool          // it encrypts
}

// Measure is what this process sees of its machine.
type Measure struct {
	Free       uint64 // bytes of the disk of the data directory
	KnowsFree  bool
	Log        int64 // bytes of SQLite's log of changes
	Resealing  int64 // values that are still to be sealed with a new key
	Busy, Open int   // connections of this process to PostgreSQL
	Most       int
	Workers    map[millrace.TaskKind]int
}

// Trouble is something that is not well, and what to do.
type Trouble struct{ What, Do string }

// ServerPage is the server as it is.
type ServerPage struct {
	*Server
	*store.Health
	Measure
	Version  string
	Public   string
	Troubles []Trouble
	Keeps    []Keeping
	Known    []Key
	Changed  []Flag
	Others   []Flag
}

// Keeping is how long rows of a kind are kept, and what was removed of them.
type Keeping struct {
	Kind string
	Flag string
	Days int // 0: forever
	store.Cleanup
}

// server shows the settings and the health of the server.
func server(r *Request) (*editor.Page, error) {
	p := &ServerPage{Server: r.Server, Version: millrace.Version()}
	err := r.DB.View(r.Context(), func(tx *store.Tx) error {
		var err error
		p.Health, err = tx.Rows().Health(r.Context())
		return err
	})
	if err != nil {
		return nil, err
	}
	var notReady error
	if s := r.Server; s.Measure != nil {
		p.Measure = s.Measure()
		if p.Known, err = s.Keys(r.Context()); err != nil {
			return nil, err
		}
		p.Public, notReady = s.PublicURL(), s.Ready(r.Context())
	}
	for _, kind := range millrace.KeptKinds() {
		p.Keeps = append(p.Keeps, Keeping{
			strings.ReplaceAll(string(kind), "_", " "), "--keep-" + strings.ReplaceAll(string(kind), "_", "-"), int(p.Keep[kind] / (24 * time.Hour)), p.Cleanups[kind],
		})
	}
	for _, f := range p.Flags {
		if f.Changed {
			p.Changed = append(p.Changed, f)
		} else {
			p.Others = append(p.Others, f)
		}
	}
	p.Troubles = p.troubles(r.Now, notReady)
	return &editor.Page{Name: "server", Title: "Server", Body: p}, nil
}

// Kind is what the database is.
func (p *ServerPage) Kind() string {
	if p.MaxConnections > 0 {
		return "PostgreSQL"
	}
	return "SQLite"
}

// Counted is from how many tasks on they are not counted any more.
func (*ServerPage) Counted() int64 { return store.DepthCounted }

// Swept is when old rows were last removed; 0: never.
func (p *ServerPage) Swept() millrace.Time {
	var last millrace.Time
	for _, c := range p.Cleanups {
		last = max(last, c.EndedAt)
	}
	return last
}

// versions are those of the nodes.
func (p *ServerPage) versions() []string {
	var out []string
	for i := range p.Nodes {
		version := p.Nodes[i].Version
		if version == "" {
			version = "one that does not say which"
		}
		if !slices.Contains(out, version) {
			out = append(out, version)
		}
	}
	return out
}
