// Package realserver tests Millrace against servers that others wrote, each a real one that the test starts
// on this machine with a data directory of its own.
//
// The binary is built from the source and uses the published files of integrations/. Records are created
// through the server's own API, synced to a webhook receiver that verifies every request, and compared one by one with
// what the server itself says it has. Then some are changed, added and deleted, and exactly those that changed must come;
// and our process is killed in the middle of a run, which must lose nothing and repeat only what is identical.
//
// make realserver builds the servers and runs the tests; without it they are skipped.
package realserver
