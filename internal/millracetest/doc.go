// Package millracetest tests the whole server as its users see it: through its API, with a third party behind it and
// a webhook in front.
//
// It has a server in this process ([Start]) and one in a process of its own that can be killed ([Binary]), on either
// database; a third party that is described by data and misbehaves on request ([Provider]); an endpoint that verifies
// every delivery by its own copy of the rules ([Collector]); and scenarios, which are text files in testdata: what is
// configured, what happens, what must be seen, and what must not.
//
// The crash tests kill servers at random moments under load and then ask for everything that a 2xx has promised.
package millracetest
