// Package definition finds what is wrong with the definitions that people write, and what is not wrong but probably not
// meant: of workflows, integrations and sync jobs.
//
// It knows nothing of HTTP: the API, the command line and a dashboard say the same about the same definition. The types
// here are definitions as written, where what is absent is nil; those of the root are the stored
// form. A check returns all findings at once, in the order of the definition, each with its path. It needs no database
// and never looks at what a definition names, only at what it says.
package definition
