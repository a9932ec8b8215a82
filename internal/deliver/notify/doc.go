// Package notify says to people what an event means, and sends it by mail: a [Notice] is a title and some lines, as plain text or
// as the body of a request to Slack. It carries no records and no secrets, and nothing in it can link or call for people.
//
// A [Mailer] makes one attempt. When to try again, and what an attempt's outcome is, are the business of package deliver.
package notify
