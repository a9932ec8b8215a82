// Package deliver calls webhooks: it signs a delivery, sends it, says what the response means, decides when to try
// again, and keeps the order.
//
//	Sender   one attempt (Send), an attempt with its quick retries (Deliver), the long schedule (Backoff)
//	Pump     the backlog of one webhook: everything but the records of sync job runs, which their runs send themselves
//
// # Invariants
//
//   - A response of a receiver is a value, Outcome. An error means that we failed.
//   - Any 2xx counts, 200 is what is documented. Redirects are not followed, bodies are not decompressed, and no
//     response, however long or slow, costs more than a bounded number of bytes and the timeout.
//   - A delivery has the same id and the same bytes whenever it is sent: the id is the row's, the bytes follow from
//     the event's row and the webhook's id.
//   - Nothing is skipped and nothing is dropped because a receiver is down. With strict ordering a failed delivery blocks
//     those behind it. Otherwise first attempts are made in the order of the sequence, as far as concurrency allows, and a
//     delivery that fails is deferred: it is tried again on its own schedule, giveUpAfter times.
//   - A pump owns a webhook by having raised its epoch. Every commit of progress is conditional on that epoch, so a
//     pump that was paused, or whose process died, can repeat requests but not write.
//   - The backlog and its wake-up agree: a pump completes its task in the transaction that holds the webhook's row and finds
//     nothing left. A transaction that queues a delivery holds that row too. When only deferred deliveries are left, the
//     completing transaction schedules the next task, and the next delivery that is queued wakes it.
//   - One slow endpoint never delays another: a pump never waits in place, its slice ends after some seconds, and webhooks that
//     were slow when they were last called share a part of the workers, their bulkhead; see [PumpConfig].SlowAtOnce.
//
// # Blocked or deferred
//
// A failure that cannot be the delivery's fault blocks the whole webhook: no connection, 429, 503 with Retry-After. When
// the endpoint itself gave no response (a timeout, a broken connection, 502, 503, 504), the delivery blocks those behind it
// for its quick retries and is deferred after them. On any other response it is deferred at once. When three in a row are
// deferred and none gets through, the endpoint counts as down: the webhook is called less and less often, each time with a
// delivery that was not tried yet, if there is one.
//
// # The pipeline of a pump
//
// A pump works in batches of commitSize deliveries, and three batches are under way at once: while one is sent, the one
// before it is committed and the one after it is read. So the time per batch is the longest of the three, not their sum. A
// batch begins only when the commit of the last but one has succeeded, which also proves that the webhook still belongs to
// this pump.
//
// # What a crash costs
//
// What was sent and not committed is sent again: at most two batches. Nothing is lost, because progress moves only in the
// transaction that stores the attempts.
//
// # What is retried
//
// Failed deliveries after 1, 2 and 4 seconds, then on the schedule of [Sender.Backoff]; between two attempts no worker is
// held. A webhook that fails for as long as [Prolonged] says, or responds with 410, is set inactive; what is pending stays.
package deliver
