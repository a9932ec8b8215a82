// Package field reads a config member by member: a [Field] is a value with its path, and reading one collects what is wrong
// with it, so that the author of a config sees everything at once. A [Template] is a part of a config with placeholders.
package field
