// Package httpapi is the HTTP edge: it turns requests into calls on the store and errors into the wire's envelope.
//
// routes.go shows every route. What a request passes on its way, in this order: request.go gives it an id, tidies its
// path, finds its route and logs one line about it; auth.go finds the environment of its token; input.go reads path,
// query and body into the handler's input and collects all that is wrong with them; the handler, in the file named
// after its resource, works on the store in one transaction; error.go turns what went wrong into a status and a body.
//
// The handlers follow these rules. A token sees its environment and nothing else: the rest does not exist. Nothing of
// a refused request is stored, because checks come before the transaction and a transaction keeps all or nothing. No
// handler talks to the network inside a transaction. Secrets leave in one place only, the answer that creates a
// webhook.
//
// huma generates the OpenAPI document from the types of the handlers and writes the answers. Bodies are decoded and
// checked here and not by huma, because a refusal must say where in the body (line and column) the mistake is, must
// name all mistakes at once, and must look like every other refusal.
package httpapi
