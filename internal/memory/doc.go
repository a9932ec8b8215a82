// Package memory bounds what requests, responses and pages may take of the server's memory at once.
//
// A [Budget] is a number of bytes that work has to reserve before it allocates. It is first come, first served, but for
// one rule: no owner, which is an environment or an address that anyone may call, holds more than a share of it while
// others wait. When nothing is left a caller waits or gets an error at once, as it chooses.
//
// What is reserved is an estimate, on the safe side. A [Meter] makes it for JSON and XML while the text passes through, so
// that a document that would be too large in memory is known before it is decoded.
//
// Rules against deadlock: the holder of a lease waits for more only with a bound on the time, and budgets are
// taken in the order bodies, parsing, pages, responses.
package memory
