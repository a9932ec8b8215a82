// Package inbound takes what providers send to us: the hop before events.
//
// The response follows when a request is stored. The request itself only waits for what its response depends on: a
// handshake is recognised and completed, a signature is checked over the bytes as they came, and a repeated delivery is
// recognised. Everything else happens in a task: the payload is transformed, the account's context is
// updated, and every element of the payload becomes one record event, which the next stage (trigger) takes from there.
//
// What got a 200 is never lost: the raw request is stored with the task in one transaction. Nothing happens
// twice: the events, the update of the context and the end of the evaluation are one transaction, which only the hook
// that still is due gets into, and the idempotency key of an event is the hook, the account and the place of its element.
//
// Everything in a request is hostile until its signature is checked, and hostile input afterwards: expressions run under
// limits, few run at once, and what is rejected leaves only a bounded trace.
package inbound
