// Package webhook receives what Millrace delivers: it verifies signatures and keeps repetitions away. It needs nothing
// but the standard library.
//
//	verifier, err := webhook.NewVerifier(os.Getenv("WEBHOOK_SECRET"))
//	...
//	http.Handle("POST /hook", webhook.NewHandler(verifier, webhook.NewMemory(100_000), func(ctx context.Context, d *webhook.Delivery) error {
//		return store(ctx, d.Event, d.Payload)
//	}))
//
// Delivery is at least once: a delivery that did not get a 200 in time comes again, with the same id and the
// same bytes. A handler must therefore respond with 200 only when what it received is safe, and remember that it did. [Memory]
// remembers in this process; receivers with a database implement [Log] with a row in the transaction that stores the
// records.
package webhook
