package node

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

// settleKey makes sure that the keys are those of the database. A new database gets a new key, unless nothing may be created.
func settleKey(ctx context.Context, o Options, k *secret.Keyring, db *store.DB, name string, mayCreate bool) error {
	checks, data, err := db.KeyChecks(ctx)
	if err != nil {
		return err
	}
	if !k.HasKey() {
		switch {
		case len(checks) > 0:
			return fmt.Errorf("the database %s was sealed with an encryption key, and %s does not exist: put the key file of before there "+
				"(all nodes need the same one), or give the key as --encryption-key or MILLRACE_ENCRYPTION_KEY", name, secret.KeyFile(o.DataDir))
		case !mayCreate:
			return fmt.Errorf("the database %s has no encryption key yet: start the server first", name)
		}
		created, err := k.Create()
		if err != nil {
			return err
		}
		if created {
			o.Logger.InfoContext(ctx, "created an encryption key; without it the stored credentials are lost, so back it up",
				slog.String("file", secret.KeyFile(o.DataDir)))
		}
	}
	known := k.Learn(values(checks), data)
	if len(known) > 0 && !slices.ContainsFunc(known, func(c secret.Check) bool { return c.Given }) {
		return fmt.Errorf("the database %s was sealed with another encryption key than that of %s: nothing that is sealed could be read. "+
			"Give the key of before, which all nodes need: as the file %s, or as --encryption-key or MILLRACE_ENCRYPTION_KEY",
			name, k.Source(), secret.KeyFile(o.DataDir))
	}
	if len(checks) > 0 && checks[0].ID > 0 {
		return missingKeys(ctx, k, db, name, checks, known)
	}
	err = db.AddKey(ctx)
	if millrace.KindOf(err) == millrace.KindConflict { // another node has started at the same time, and its key counts
		return settleKey(ctx, o, k, db, name, mayCreate)
	}
	return err
}

func values(checks []store.KeyCheck) [][]byte {
	out := make([][]byte, len(checks))
	for i := range checks {
		out[i] = checks[i].Value
	}
	return out
}

// missingKeys returns an error when a key of the database is not given although something needs it.
func missingKeys(ctx context.Context, k *secret.Keyring, db *store.DB, name string, checks []store.KeyCheck, known []secret.Check) error {
	for i := range known {
		if known[i].Given {
			continue
		}
		needed, err := needs(ctx, db, checks, known, i)
		if err != nil {
			return err
		}
		if len(needed) > 0 {
			return fmt.Errorf("the database %s still needs an encryption key (%s) that %s does not have: %s. "+
				"Give it as a further line below the new key until millrace keys status says that nothing needs it", name, keyName(known[i]), k.Source(), store.OwnedText(needed))
		}
	}
	return nil
}

// keyName is what people know a key by.
func keyName(c secret.Check) string {
	if c.Key == "" {
		return "the first one"
	}
	return secret.KeyName(c.Key)
}

// needs says what still needs a key: values that it has sealed, and runs that may hold its cursors, because they began before a
// later key did.
func needs(ctx context.Context, db *store.DB, checks []store.KeyCheck, known []secret.Check, i int) ([]store.Owned, error) {
	prefix, not := known[i].Marks()
	out, err := db.CountSeals(ctx, store.Seals{Prefix: prefix, Not: not})
	if err != nil {
		return nil, err
	}
	since, last := millrace.Time(math.MaxInt64), len(checks)-1
	if i < last {
		since = checks[last].Since
	}
	runs, err := db.RunsBegunBefore(ctx, since)
	if err == nil && runs > 0 {
		out = append(out, store.Owned{What: "sync job runs that began before", Rows: runs})
	}
	return out, err
}

// promoteKey makes the first of the keys the one that encrypts, and forgets keys that are not given, which nothing needs. All other
// nodes must be able to read what it seals, and it what they seal: of two that start at the same time, each says first which keys
// it has, so that one of them sees the other.
func promoteKey(ctx context.Context, k *secret.Keyring, db *store.DB, place *Place) error {
	if place != nil {
		others, err := db.OtherNodes(ctx, append([]string{place.ID}, place.Previous...))
		if err != nil {
			return err
		}
		for _, other := range others {
			if err := agree(k, other); err != nil {
				return err
			}
		}
	}
	checks, data, err := db.KeyChecks(ctx)
	if err != nil {
		return err
	}
	known := k.Learn(values(checks), data)
	k.EncryptWithFirst()
	var own []int64
	for i := range known {
		switch {
		case !known[i].Given:
			if err := db.RemoveKey(ctx, checks[i].ID); err != nil {
				return err
			}
		case known[i].Key == k.Current():
			own = append(own, checks[i].ID)
		}
	}
	// Of several keys, the time of the last start says which runs may hold cursors of the others.
	if last := len(known) - 1; len(k.IDs()) == 1 && len(own) == 1 && known[last].Key == k.Current() {
		return nil
	}
	for {
		if err := db.AddKey(ctx, own...); millrace.KindOf(err) != millrace.KindConflict {
			return err
		}
	}
}

// agree returns an error when another node cannot read what this one seals, or the reverse.
func agree(k *secret.Keyring, other store.NodeKeys) error {
	own := keyNames(k)
	if len(other.Keys) == 0 { // it has the first key of the database
		if k.HasMark() {
			return fmt.Errorf("the node %s, which is at work, is of a version that knows one encryption key only: replace all nodes before you change the key", other.Node)
		}
		return nil
	}
	if !slices.Contains(own, other.Keys[0]) {
		return fmt.Errorf("the node %s, which is at work, encrypts with the key %s, which this one does not have: give it, as a further line of %s", other.Node, other.Keys[0], k.Source())
	}
	if !slices.Contains(other.Keys, own[0]) {
		return fmt.Errorf("the node %s, which is at work, does not have the key %s, with which this one would encrypt: give all nodes the new key as a further line first, "+
			"start them again one after another, and then move it to the first line", other.Node, own[0])
	}
	return nil
}

func keyNames(k *secret.Keyring) []string {
	names := k.IDs()
	for i := range names {
		names[i] = secret.KeyName(names[i])
	}
	return names
}

// KeyState says what the database knows of an encryption key.
type KeyState struct {
	Name   string
	Given  bool
	First  bool // it is the first one that is given
	Newest bool // servers encrypt with it
	Since  millrace.Time
	Needed []store.Owned // what needs it; of the newest: what it has sealed
}

// KeysInUse is KeyStates of an open database without what needs the keys, which is much to read.
func (s *Storage) KeysInUse(ctx context.Context) ([]KeyState, error) {
	checks, data, err := s.DB.KeyChecks(ctx)
	if err != nil {
		return nil, err
	}
	var out []KeyState
	for i := range checks {
		id, given := s.Keys.KeyOf(checks[i].Value, data)
		out = append(out, KeyState{
			Name: keyName(secret.Check{Key: id}), Given: given, Since: checks[i].Since, Newest: i == len(checks)-1, First: given && id == s.Keys.IDs()[0],
		})
	}
	for i, name := range s.KeyNames() {
		if !slices.ContainsFunc(out, func(k KeyState) bool { return k.Name == name }) {
			out = append(out, KeyState{Name: name, Given: true, First: i == 0})
		}
	}
	return out, nil
}

// KeyStates returns what the database of a server, which may be running, knows of its keys, the newest last.
func KeyStates(ctx context.Context, o Options) ([]KeyState, error) {
	db, k, err := openExisting(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	checks, data, err := db.KeyChecks(ctx)
	if err != nil {
		return nil, err
	}
	known := k.Learn(values(checks), data)
	out := make([]KeyState, 0, len(known)+1)
	for i := range known {
		state := KeyState{
			Name: keyName(known[i]), Given: known[i].Given, Since: checks[i].Since, Newest: i == len(known)-1,
			First: known[i].Given && known[i].Key == k.IDs()[0],
		}
		if state.Newest {
			prefix, not := known[i].Marks()
			state.Needed, err = db.CountSeals(ctx, store.Seals{Prefix: prefix, Not: not})
		} else {
			state.Needed, err = needs(ctx, db, checks, known, i)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, state)
	}
	for i, name := range keyNames(k) {
		if !slices.ContainsFunc(out, func(s KeyState) bool { return s.Name == name }) {
			out = append(out, KeyState{Name: name, Given: true, First: i == 0})
		}
	}
	return out, nil
}

// RotateKey puts a new key before those of a key file and returns its name. A server that is started from then on encrypts with it.
func RotateKey(ctx context.Context, o Options, file string) (string, error) {
	db, k, err := openExisting(ctx, o)
	if err != nil {
		return "", err
	}
	defer func() { _ = db.Close() }()
	checks, data, err := db.KeyChecks(ctx)
	if err != nil {
		return "", err
	}
	known := k.Learn(values(checks), data)
	if newest := known[len(known)-1]; !newest.Given || newest.Key != k.IDs()[0] {
		return "", fmt.Errorf("the first key of %s (%s) is not in use yet: start the server with it before you make another", k.Source(), keyNames(k)[0])
	}
	if len(known) > 1 {
		return "", fmt.Errorf("%d keys are in use: let the server finish with the old ones, and take them away, before you make another (millrace keys status)", len(known))
	}
	if db.Postgres() != nil {
		others, err := db.OtherNodes(ctx, nil)
		if err != nil {
			return "", err
		}
		if len(others) > 1 {
			return "", fmt.Errorf("%d nodes are at work, which all need the new key before one encrypts with it: make one with openssl rand -base64 32, "+
				"give it to all nodes as a further line, start them again one after another, and then do so with it as the first line", len(others))
		}
	}
	name, err := secret.AddKey(file)
	if err != nil {
		return "", err
	}
	ctx = ByOperator(ctx)
	err = db.Update(ctx, func(tx *store.Tx) error {
		return store.AuditOf(tx).Record(ctx, &store.AuditEntry{Resource: "encryption_key", ResourceID: name, Action: store.AuditCreated})
	})
	return name, err
}
