// Package millracetest tests the whole server as its users see it: through its API, with a provider behind it and a
// webhook in front.
//
// It has a server in this process ([Start]) and one in a process of its own that can be killed ([Binary]), on either
// database; an endpoint that verifies every delivery by its own copy of the rules ([Collector]); and a load that asks
// afterwards for everything that a 2xx has promised ([Load]), which is what the crash tests check.
//
// In folders of their own: a provider that is described by data and misbehaves on request (provider), scenarios as
// text files (scenario), and random sync job runs with a model of what they must deliver (trial).
package millracetest
