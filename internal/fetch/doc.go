// Package fetch makes one request to a provider, as an integration's config describes it, and returns one page.
//
// A config (integration.config with the overrides of the installation and of the account merged over it) says where
// an API is, how it authenticates, pages, reports errors and limits its callers. [config.Parse] checks and compiles it
// once; a [config.Config] is immutable and may be shared. [Fetcher.Fetch] renders a method of a resource with an account's
// context, sends the request and reads the response.
//
// Every response of a provider, and its absence, is an [Outcome], a value to decide by: ok,
// rate_limited, unauthorized, remote_error, network_error. An error means that we failed: the config is wrong, a
// placeholder of a path has no value, the caller's context ended.
//
// All six ways of paging look the same from outside: a limit goes in, an opaque cursor comes out, and the cursor alone
// says how to go on. Cursors are deterministic, so an API that returns the cursor it was sent is noticed by comparing
// [Outcome].NextCursor with [Request].Cursor. Nothing here keeps state or retries: after a crash the caller fetches
// the same page again with the same cursor.
//
// An account's credentials pass through this package. They reach the provider's host and nothing else: messages,
// request lines and raw responses are scrubbed of every secret value, credentials do not follow a redirect to
// another host unless the config says so, and a link to the next page must stay on the host of the base URL.
package fetch
