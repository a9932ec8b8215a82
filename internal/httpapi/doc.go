// Package httpapi is the HTTP edge: it turns requests into calls on the store and errors into the wire's envelope.
//
// routes.go shows every route. Package rest is what all of them go through; the handlers are in a package for each theme,
// in the file named after their resource: connection, work, delivery and proxy. What is about the server itself is here.
//
// The handlers follow these rules. A token sees its environment and nothing else: the rest does not exist. Nothing of
// a rejected request is stored, because checks come before the transaction and a transaction keeps all or nothing. No
// handler talks to the network inside a transaction. Secrets leave in one place only, the response that creates a
// webhook.
package httpapi
