// Package deliveries keeps the rows of webhooks, of notification destinations, which are webhooks with a type, and of the
// deliveries to them.
//
// The sequence number of a delivery is taken under the lock of the webhook's row, so the order of numbers is the order of commits.
package deliveries
