// Package secret is the one room that knows what is secret and how it is kept out of sight.
//
// [Set] says which members of an account's context are secret: the fixed paths, every credential field that an
// integration's config declares as a password, every member that a signature check or an authorization reads. They are
// sealed at rest and absent from responses, events and the scopes of expressions. [IsName] says the same of names that
// nothing declares: members of configs, headers and parameters of requests.
//
// [Scrubber] replaces secrets in texts that others wrote, in any encoding in which they usually come back: in clear,
// with JSON, HTML or percent escapes (nested, too), in base64 at any offset, in hexadecimal digits, in another case.
package secret
