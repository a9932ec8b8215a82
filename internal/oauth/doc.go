// Package oauth speaks with the authorization and token endpoints of providers.
//
// It keeps nothing and decides nothing about accounts. A caller makes a [Request] (outside of a transaction, though that needs no
// network), stores that it is about to send it, sends it once with [Client.Send], stores the [Response] sealed before anything reads it,
// and then reads it with [Read]. A response that was stored can be read again after a crash, with the same result. Nothing here
// sends a request twice: a refresh token that was used may be dead, and a provider may take its second use for a theft.
//
// What may be shown has no secrets in it: the code and the message of a [Result], the errors of [Client.Send] and of
// [ReadRedirect]. Everything else is secret.
package oauth
