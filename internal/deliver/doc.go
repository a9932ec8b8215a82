// Package deliver calls webhooks: it signs a delivery, sends it, says what the answer means, decides when to try
// again, and keeps the order.
//
//	Sender   one attempt (Send), an attempt with its quick retries (Deliver), the long schedule (Backoff)
//	Pump     the backlog of one webhook: everything but the records of sync job runs, which their runs send themselves
//
// Invariants:
//
//   - What a receiver answers is a value, Outcome. An error means that we failed.
//   - Any 2xx counts, 200 is what is documented. Redirects are not followed, bodies are not decompressed, and no
//     answer, however long or slow, costs more than 80 KiB and the timeout.
//   - A delivery has the same id and the same bytes whenever it is sent: the id is the row's, the bytes follow from
//     the event's row and the webhook's id.
//   - Deliveries of a backlog are first sent in the order of their sequence. One that does not get through holds
//     those behind it; nothing is skipped and nothing is dropped because a receiver is down.
//   - A pump owns a webhook by having raised its epoch. Every commit of progress is conditional on that epoch, so a
//     pump that was paused, or whose process died, can repeat requests but not write.
//   - The backlog and its wake-up agree: a pump completes its task in the transaction that holds the webhook's row
//     and finds nothing left. Whoever queues a delivery holds that row too.
//
// After a crash the deliveries of the last fraction of a second, at most ten, are sent again. Failed deliveries are
// tried again after 1, 2 and 4 seconds, then after 1 min, 5 min, 30 min, 2 h, 5 h and every 10 h; between two attempts
// no worker is held. A webhook that fails for five days, or answers 410, is set inactive; what is pending stays.
package deliver
