// Package rest is the machinery of the HTTP API: what every route goes through, whatever it is about.
//
// Handle registers a route on a Router. What a request passes on its way, in this order: request.go gives it an id, tidies
// its path, finds its route and logs one line about it; auth.go finds who makes it, and whether they may; input.go, query.go
// and body.go read path, query and body into the handler's input and collect all that is wrong with them; the handler works
// on the store in one transaction; error.go turns what went wrong into a status and a body.
//
// huma generates the OpenAPI document from the types of the handlers and writes the responses. Bodies are decoded and
// checked here and not by huma, because an error must say where in the body (line and column) the mistake is, must name all
// mistakes at once, and must look like every other error.
package rest
