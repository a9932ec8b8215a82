package millrace

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Identifiers are UUIDs in their canonical lower-case text form, each with a type of its own so that one cannot
// stand where another is meant.
type (
	// EnvironmentID names an environment, the isolation boundary that every row belongs to.
	EnvironmentID string
	// APITokenID names an API token.
	APITokenID string
	// IntegrationID names the definition of a provider's API.
	IntegrationID string
	// EnvironmentIntegrationID names an installed integration.
	EnvironmentIntegrationID string
	// IntegratedAccountID names one customer's connection.
	IntegratedAccountID string
	// WebhookID names an endpoint that Millrace calls.
	WebhookID string
	// DeliveryID names one event on its way to one webhook; receivers see it as webhook-id.
	DeliveryID string
	// EventID names an event.
	EventID string
	// BatchID names the events, or the inbound hooks, that one group commit stored together.
	BatchID string
	// InboundHookID names a request that a provider made to us.
	InboundHookID string
	// WorkflowID names a workflow.
	WorkflowID string
	// WorkflowRunID names an execution of a workflow.
	WorkflowRunID string
	// SyncJobID names a sync job.
	SyncJobID string
	// SyncJobRunID names an execution of a sync job.
	SyncJobRunID string
	// StateEntryID names an entry of the state of sync job runs; clients name it by its key.
	StateEntryID string
	// SyncJobTemplateID names a sync job template.
	SyncJobTemplateID string
	// RunLogID names a line of a sync job run's log.
	RunLogID string
	// SyncJobCronTriggerID names a schedule of a sync job.
	SyncJobCronTriggerID string
)

// NewID returns a UUID that reads as one of version 4, which clients expect. Its first 48 bits are the time in
// milliseconds, the other 74 are random: what is made at a time stands together in the indexes of the database.
func NewID[T ~string]() T {
	b := random()
	binary.BigEndian.PutUint64(b[:], uint64(time.Now().UnixMilli())<<16|uint64(binary.BigEndian.Uint16(b[6:]))) //nolint:forbidigo // where a row stands may depend on any clock
	return T(formatUUID(b, 4))
}

// NewSecret returns a random UUID (version 4), every bit of which is random.
func NewSecret() string { return formatUUID(random(), 4) }

func random() [16]byte {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand.Read never fails since Go 1.24; it ends the process instead.
	return b
}

// DeriveID returns the UUID (version 8) that always follows from the same parts. Ids of deliveries are derived, so
// that a delivery that is repeated after a crash carries the id that it had before. When the first part is an id, the
// derived one begins as it does, and stands beside it in an index.
func DeriveID[T ~string](parts ...string) T {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	var b [16]byte
	copy(b[:], h.Sum(nil))
	if first := parts[0]; IsID(first) {
		_, _ = hex.Decode(b[:4], []byte(first[:8])) // an id is made of digits
		_, _ = hex.Decode(b[4:6], []byte(first[9:13]))
	}
	return T(formatUUID(b, 8))
}

func formatUUID(b [16]byte, version byte) string {
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// IsID reports whether s is a UUID in its canonical text form, in either case.
func IsID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			c := s[i] | 0x20
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
