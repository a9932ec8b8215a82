// Package provider makes every request to a provider on behalf of an account: for sync job runs ([Fetcher]), for the
// proxy API, the custom API and actions ([Proxy]), and for the end of a connection ([Connector]). It finds the accounts
// that inbound hooks are about ([NewReceiver]).
//
// # Invariants
//
//   - Every response passes through one place, which learns the provider's rate limit from it and moves the account's
//     status on when its credentials stopped or began to work.
//   - A status moves only from the row that the request was made with: an account that was reconnected meanwhile has
//     other credentials, and an old response says nothing about them.
//   - A 401 is met with another access token at most once per generation; who gets the token is plugged in ([Renew]).
//
// # After a crash
//
// Rate limits and loaded accounts are kept in memory and are learned again; only blocks that other nodes must know of
// are rows. A request that had no response is repeated by the run that made it; calls of the proxy API are not
// repeated.
package provider
