package main

import (
	"context"
	"errors"
	"os"

	"github.com/millrace/millrace/internal/demo"
)

type demoCmd struct {
	Keep  bool `help:"Leave the server running and print its address, its token and what to try next."`
	Peers bool `help:"Only start the two other sides, the API of a provider and a webhook receiver, for a server of your own."`
}

// Run shows the demo; its exit code is 1 when a check at its end fails.
func (c *demoCmd) Run(ctx context.Context, s *streams) error {
	if c.Peers {
		return demo.Peers(ctx, s.out)
	}
	_, plain := os.LookupEnv("NO_COLOR")
	err := demo.Run(ctx, demo.Options{Out: s.out, Terminal: s.terminal && !plain, Keep: c.Keep})
	if errors.Is(err, demo.ErrFailed) {
		return exitError(1)
	}
	return err
}
