package inbound

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/cache"
)

// The keys that a provider publishes are read again after a while, and sooner when a token names a key that is not
// among them, but never so often that forged tokens become requests to the provider.
const (
	keysKept    = time.Hour
	keysPause   = time.Minute
	keysTimeout = 5 * time.Second
	maxKeysBody = 256 << 10
	maxKeys     = 100
	maxKeySets  = 1000
)

// keySets reads and remembers published keys.
type keySets struct {
	client *http.Client
	clock  func() time.Time
	byURL  *cache.Cache[string, *keySet]
}

type keySet struct {
	mu   sync.Mutex // held while the keys are read, so that they are read once
	keys []jose.JSONWebKey
	at   time.Time // of the last attempt
	err  error     // of the last attempt
}

func newKeySets(client *http.Client, clock func() time.Time) *keySets {
	return &keySets{client: client, clock: clock, byURL: cache.NewLasting[string, *keySet](maxKeySets)}
}

// get returns the keys with an id, or all keys for a token that names none. Its errors are of KindUnavailable.
func (k *keySets) get(ctx context.Context, url, id string) ([]jose.JSONWebKey, error) {
	set := k.byURL.Share(url, &keySet{})
	set.mu.Lock()
	defer set.mu.Unlock()
	found := set.find(id)
	age := k.clock().Sub(set.at)
	if set.at.IsZero() || age > keysKept || (len(found) == 0 && age > keysPause) {
		keys, err := k.read(ctx, url)
		set.at, set.err = k.clock(), err
		if err == nil {
			set.keys = keys
		}
		found = set.find(id)
	}
	if len(found) == 0 && set.err != nil {
		return nil, set.err
	}
	return found, nil
}

func (s *keySet) find(id string) []jose.JSONWebKey {
	if id == "" {
		return s.keys
	}
	return (&jose.JSONWebKeySet{Keys: s.keys}).Key(id)
}

// read requests the keys. A caller that stops waiting does not end the request: the next caller uses its result.
func (k *keySets) read(ctx context.Context, url string) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysTimeout)
	defer cancel()
	unavailable := func(err error) error {
		return &millrace.Error{Kind: millrace.KindUnavailable, Message: "the keys of the provider cannot be read", Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, unavailable(err)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, unavailable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxKeysBody))
	if err != nil {
		return nil, unavailable(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, unavailable(fmt.Errorf("status %d", resp.StatusCode))
	}
	return parseKeys(raw)
}

// parseKeys reads a set of keys and leaves out those that it does not understand: a set may have keys for other uses.
func parseKeys(raw []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil || len(set.Keys) > maxKeys {
		return nil, &millrace.Error{Kind: millrace.KindUnavailable, Message: "the keys of the provider are not valid", Err: err}
	}
	var keys []jose.JSONWebKey
	for _, one := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) == nil && key.Valid() {
			keys = append(keys, key)
		}
	}
	return keys, nil
}
