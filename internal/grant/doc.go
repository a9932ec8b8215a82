// Package grant keeps the tokens of integrated accounts alive: it gets the next pair from the provider when the access token ends, and
// loses none. One request for an account is under way at a time, over all nodes: who makes it holds a lease on the row of the grant.
// What is to be done is written before it is done: the attempt before the request, the response before it is read, and the pair
// together with its generation. What a request came to is one of three: granted, refused, or not known; the last burns no account.
package grant
