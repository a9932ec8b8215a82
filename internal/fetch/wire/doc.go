// Package wire is how a request is written and a response is read: query strings and forms in all array formats, bodies of JSON,
// XML, multipart and text, headers, and the URL with the link that a list goes on with. It knows nothing of configs and of
// accounts, except that a text may have a secret in it: headers that do must not reach another host.
package wire
