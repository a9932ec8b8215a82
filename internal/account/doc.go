// Package account is what Millrace knows about the accounts that customers connect.
//
// An account is a row in three parts: its public context, its credentials, sealed, and the installation of the
// integration that it is a connection of. This package shows accounts and makes the events about them ([Show],
// [NewEvent]), checks and merges what clients, actions and inbound hooks change ([Admit], [MergeContext]), decides what
// of an account is secret ([SecretsOf], [WithoutSecrets]), and keeps the generation of its tokens ([TrackTokens]).
// Requests on an account's behalf are package provider's.
//
// # Invariants
//
//   - What is shown, and what is in an event, has no credential in it. A row is sealed in the transaction that stores it
//     or that changes what its integration declares secret.
//   - An account whose context gets another pair of tokens begins a new generation in the same transaction.
//
// # After a crash
//
// Everything is rows; nothing is kept in memory.
package account
