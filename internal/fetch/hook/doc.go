// Package hook is what a config says of inbound hooks: how their payload is transformed, how handshakes are distinguished from
// payloads, by what their account is found, and what proves where they come from.
package hook
