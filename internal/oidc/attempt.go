package oidc

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// maxCookie bounds what is read of a cookie.
const maxCookie = 4 << 10

// attempt is a sign-in that has begun, as the cookie of the browser has it.
type attempt struct {
	State     string `json:"state"`
	Nonce     string `json:"nonce"`
	Verifier  string `json:"verifier"`
	To        string `json:"to"`
	ExpiresAt int64  `json:"expires_at"` // in seconds
}

func random() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// bound is what a cookie is sealed with: it is of use for this provider and client only.
func (c *Client) bound() []byte { return []byte("sign-in\n" + c.Issuer + "\n" + c.ClientID) }

func (c *Client) seal(a *attempt) (string, error) {
	plain, err := json.Marshal(a)
	if err != nil {
		return "", err
	}
	sealed, err := c.Keys.Encrypt(plain, c.bound())
	if err != nil {
		return "", fmt.Errorf("encrypt a sign-in: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// open reads a cookie. It returns nil for one that is not ours, or whose time is over.
func (c *Client) open(cookie string) *attempt {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil || len(cookie) > maxCookie {
		return nil
	}
	plain, err := c.Keys.Decrypt(sealed, c.bound())
	if err != nil {
		return nil
	}
	var a attempt
	if json.Unmarshal(plain, &a) != nil || !c.Clock().Before(time.Unix(a.ExpiresAt, 0)) {
		return nil
	}
	return &a
}
