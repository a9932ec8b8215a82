// Package scenario runs the text files in testdata: what is configured, what happens, what must be seen, and what must
// not. testdata/README.md describes them.
package scenario
