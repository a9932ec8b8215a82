// Package tokens is an authorization server for tests: it issues codes and tokens, rotates refresh tokens, revokes what was issued
// when one is used twice, and misbehaves on request. It remembers every request, so that a test can say how often a provider was asked,
// and with what.
package tokens
