// Package examples holds the requests that the documentation, the demo and the tests send, as files to be read and
// sent by hand too.
package examples

import "embed"

// Files are the bodies of requests.
//
//go:embed *.json *.yaml
var Files embed.FS

// The ids that the examples agree on. Clients may choose ids, so that documents like these can name each other.
const (
	SyncJobID = "51b79ace-a7b4-4077-93ba-8048a06ece2b"
	WebhookID = "9fda519d-148f-4cc5-bbac-4e373b16e5d4"
)
