package admin

import (
	"context"
	"fmt"

	"github.com/millrace/millrace/internal/node"
	"github.com/millrace/millrace/internal/people"
	"github.com/millrace/millrace/internal/store"
)

// SignInLink returns the token of a link that signs in the user with an address once; with an empty one, the first owner.
func SignInLink(ctx context.Context, o node.Options, email string) (string, error) {
	link, err := compute(ctx, o, func(ctx context.Context, tx *store.Tx) (string, error) { return people.LinkFor(ctx, tx, email) })
	if err != nil {
		return "", fmt.Errorf("make sign-in link: %w", err)
	}
	return link, nil
}
