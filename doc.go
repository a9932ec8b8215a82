// Package millrace holds the nouns of Millrace: what an environment, an event, a workflow, a sync job run and a
// webhook are, which states they pass through, and what can go wrong with them.
//
// The data flows one way through the packages below internal:
//
//	event -> trigger -> workflow -> syncjob -> fetch / deliver
//
// An event is accepted (event), the workflows that it wakes are decided (trigger), their steps run in order
// (workflow), a sync job run pages through a provider's API (syncjob, fetch), and every page of records is sent,
// in order and signed, to a webhook (deliver). The stages do not run each other. They meet through tasks
// (task.go) that are inserted in the transaction of the rows they belong to, so a crash between two stages loses nothing.
//
// This package imports only the standard library and is imported by all others.
package millrace
