// Package oidc lets people prove who they are at an identity provider, by OpenID Connect: it sends a browser there, and reads what
// comes back. It decides nothing about users.
//
// # Invariants
//
//   - What a sign-in needs is in a cookie of the browser that began it, encrypted; nothing is in the memory of a process or in the database.
//   - Every sign-in has a state, a nonce and a PKCE verifier of its own, each of 256 random bits.
//   - Nothing of an ID token is believed before go-oidc has verified it with a published key: no algorithm with a shared key, none without a key.
//   - Codes, tokens and the client secret are in no error, so in no log.
package oidc
