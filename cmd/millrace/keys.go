package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/secret"
	"github.com/millrace/millrace/internal/store"
)

type keysCmd struct {
	Status keysStatusCmd `cmd:"" help:"Say which encryption keys the database knows and what still needs the old ones."`
	Rotate keysRotateCmd `cmd:"" help:"Put a new key before the one in the key file. A server that is started then encrypts with it, and seals again what is there."`
}

type keysStatusCmd struct{ databaseFlags }

// Run prints a line for each key, and what to do.
func (c *keysStatusCmd) Run(ctx context.Context, s *streams) error {
	states, err := node.KeyStates(ctx, c.quiet(s))
	if err != nil {
		return err
	}
	w := columns(s.out)
	_, _ = fmt.Fprintln(w, "KEY\tUSE\tSINCE\tSEALED VALUES") // what cannot be written shows with Flush
	for i := range states {
		k := &states[i]
		since, values := "-", int64(0)
		if k.Since > 0 {
			since = k.Since.String()
		}
		for _, o := range k.Needed {
			values += o.Rows
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", k.Name, use(k), since, values)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out, advice(states))
	return err
}

// use says what a key is for.
func use(k *node.KeyState) string {
	switch {
	case k.Newest:
		return "encrypts"
	case k.First:
		return "encrypts once a server has started"
	case !k.Given:
		return "not given"
	}
	return "decrypts"
}

// advice says what comes next.
func advice(states []node.KeyState) string {
	for i := range states {
		if k := &states[i]; k.First && !k.Newest {
			return "Start the server again: it then encrypts with the key that is given first."
		}
	}
	old := 0
	for i := range states {
		k := &states[i]
		if k.Newest || !k.Given {
			continue
		}
		if old++; len(k.Needed) > 0 {
			return fmt.Sprintf("The key %s is still needed: %s. A server that has both keys goes on with it.", k.Name, store.OwnedText(k.Needed))
		}
	}
	if old > 0 {
		return "Nothing needs the older keys. Give only the key that encrypts, and start the server again."
	}
	return "There is nothing to do."
}

type keysRotateCmd struct{ databaseFlags }

// Run changes the key file and says what to do then.
func (c *keysRotateCmd) Run(ctx context.Context, s *streams) error {
	file := secret.KeyFile(c.DataDir)
	switch {
	case c.EncryptionKeyFile != "":
		file = c.EncryptionKeyFile
	case c.EncryptionKey != "":
		return errors.New("the key is given as a value, which this command cannot change: make a new one with openssl rand -base64 32, " +
			"and give both, the new one first, with a comma between them")
	}
	name, err := node.RotateKey(ctx, c.quiet(s), file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "The new key %s is the first line of %s; back it up. Start the server again: it encrypts with the new key and seals again what\n"+
		"the old one has sealed. millrace keys status says when the old one, on the second line, may go.\n", name, file)
	return err
}
