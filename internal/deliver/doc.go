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
//   - Nothing is skipped and nothing is dropped because a receiver is down. With strict ordering a delivery that does not get
//     through holds those behind it. Otherwise the first attempts are in the order of the sequence, as far as concurrency
//     allows, and one that fails stands aside: it is tried again on its own schedule, which ends after about five days.
//   - A pump owns a webhook by having raised its epoch. Every commit of progress is conditional on that epoch, so a
//     pump that was paused, or whose process died, can repeat requests but not write.
//   - The backlog and its wake-up agree: a pump completes its task in the transaction that holds the webhook's row and finds
//     nothing left. Whoever queues a delivery holds that row too. When all that is left stands aside, that transaction
//     schedules the next task, and the next delivery that is queued wakes it.
//   - One slow endpoint never delays another: a pump never waits in place, its slice ends after some seconds, and webhooks that
//     were slow when they were last called share half of the workers.
//
// When does a delivery hold, and when does it stand aside? What cannot be the delivery's fault holds it and the whole webhook
// with it: no connection, 429, 503 with Retry-After. Without an answer of the endpoint's own (a timeout, a connection that
// broke, 502, 503, 504) it holds for its quick retries and then stands aside. Any other answer makes it stand aside at once.
// When three in a row stand aside and none gets through, the endpoint is taken to be down: the webhook is left alone for
// longer and longer, and each look at it is made with one delivery that was not tried yet, if there is one.
//
// After a crash the deliveries of the last fraction of a second, at most ten, are sent again. Failed deliveries are
// tried again after 1, 2 and 4 seconds, then after 1 min, 5 min, 30 min, 2 h, 5 h and every 10 h; between two attempts
// no worker is held. A webhook that fails for five days, or answers 410, is set inactive; what is pending stays.
package deliver
