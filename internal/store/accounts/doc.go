// Package accounts keeps the rows of environments and of what connects them to providers: API tokens, integrations,
// installations, integrated accounts, inbound hooks and calls under an idempotency key.
//
// Secret members are sealed and never part of a column that lists can be filtered by.
package accounts
