// Package connect is how a customer connects an account: with a link token, on the connect page, in a browser. It knows no HTML.
//
// A token is good for one account. What a browser does with it is a session, which is bound to the browser by a cookie and is the state
// of the redirect: it is taken once, whatever is clicked twice. An account is stored when its credentials have come; a token is used up
// by an account that became active.
package connect
