package main

type jsonataCmd struct{}

// Run is filled by the subcommands.
func (jsonataCmd) Run() error { return nil }
