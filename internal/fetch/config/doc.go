// Package config checks and compiles the config of an integration, with the overrides of the installation and of the account
// merged over it ([Merge]). [Parse] finds everything that is wrong with it at once, each finding with its path. A [Config] and
// what hangs on it are data: immutable, shared by all requests, and read by the package fetch, which makes them.
package config
