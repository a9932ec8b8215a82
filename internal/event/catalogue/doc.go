// Package catalogue describes the types of events: when each happens, what its payload looks like, and what expressions
// see of it.
//
// An example has the type that is emitted, so that the catalogue cannot say anything else. Names that this server never
// emits, but that the published catalogue has, are there without an example.
package catalogue
