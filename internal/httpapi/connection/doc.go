// Package connection has the handlers of what connects to providers: integrations, their installations, accounts, and what
// providers send.
package connection
