// Package account is what Millrace knows and does about the accounts that customers connect.
//
// An account is a row in three parts: its public context, its credentials, sealed, and the installation of the
// integration that it is a connection of. This package shows accounts and makes the events about them ([Show],
// [NewEvent]), merges what clients, actions and inbound hooks change ([MergeContext]), decides what of an account is
// secret ([SecretsOf], [WithoutSecrets]), and makes every request to a provider on an account's behalf: for sync job
// runs ([Fetcher]), for the proxy API, the custom API and actions ([Proxy]). It finds the accounts that inbound hooks
// are about.
//
// # Invariants
//
//   - What is shown, and what is in an event, has no credential in it. A row is sealed in the transaction that stores it
//     or that changes what its integration declares secret.
//   - Every response of a provider passes through one place, which learns the provider's rate limit from it and moves
//     the account's status on when its credentials stopped or began to work.
//   - A status moves only from the row that the request was made with: an account that was reconnected meanwhile has
//     other credentials, and an old response says nothing about them.
//
// # After a crash
//
// Rate limits and loaded accounts are kept in memory and are learned again; only blocks that other nodes must know of
// are rows. A request that had no response is repeated by the run that made it; calls of the proxy API are not
// repeated.
package account
