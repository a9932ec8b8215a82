// Package egress is the way out: the one transport that every outbound request uses, and what went wrong with a request, in words
// that a tenant may read.
//
// URLs come from customers and from providers, so the transport resolves each name once, rejects addresses that are not public, and
// dials the very address that it has checked. Nothing here survives a crash, because nothing is kept.
package egress
