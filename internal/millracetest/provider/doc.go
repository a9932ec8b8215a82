// Package provider is the API of a provider for tests that is described by data: lists in every way of paging, and faults on
// request. An [API] repeats its response to a repeated request, so that a caller that was killed finds the same world.
package provider
