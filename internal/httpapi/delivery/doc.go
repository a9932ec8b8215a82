// Package delivery has the handlers of what is sent to endpoints: webhooks, their deliveries, notification destinations.
package delivery
