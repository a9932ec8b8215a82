// Package admin is what an operator does on the database of a server, which may be running: API tokens and environments.
//
// Every function opens the database, commits one change and closes it again; servers notice it within seconds. A deletion of an
// environment is stored as a wish first, so that a server or the same command goes on where a process ended.
package admin
