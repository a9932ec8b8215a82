// Package people lets people into the dashboard: it makes users, signs them in by a link that works once or by a password, and says
// who a browser's session belongs to.
//
// # Invariants
//
//   - What a browser or a link has is random and stored as its hash only. A password is stored as argon2id.
//   - A session ends when it is signed out, when its time is over, when its user is disabled, and when the password changes.
//   - There is always an owner who is not disabled.
//
// # After a crash
//
// Everything is rows. A link that was used in a transaction that did not commit was not used.
package people
