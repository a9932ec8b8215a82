package deliver

import (
	"context"
	"errors"

	"github.com/millrace/millrace/internal/deliver/notify"
	"github.com/millrace/millrace/internal/egress"
)

// ClassMail is the class of a mail that the SMTP server did not take; the status is the server's.
const ClassMail = "smtp"

// ClassNoMail is the class of a mail that cannot be sent because the server has no SMTP server.
const ClassNoMail = "no_smtp_server"

// mailTaken is the response of a mail server to a mail that it takes (RFC 5321, section 4.2.3).
const mailTaken = 250

// mail makes one attempt to send a notification by mail.
func (s *Sender) mail(ctx context.Context, m Message) Outcome {
	if s.mailer == nil {
		return Outcome{Kind: Retry, ErrorClass: ClassNoMail}
	}
	n, err := notify.Of(m.Body, m.More...)
	if err != nil {
		return Outcome{Kind: Retry, ErrorClass: ClassInvalid}
	}
	err = s.mailer.Send(ctx, notify.Mail{ID: string(m.ID), To: m.Webhook.Notice(), Notice: n})
	switch {
	case err == nil:
		return Outcome{Kind: Delivered, Status: mailTaken}
	case errors.Is(err, notify.ErrInvalid):
		return Outcome{Kind: Retry, ErrorClass: ClassInvalid}
	}
	return mailFailure(ctx, err)
}

// mailFailure turns what a mail server said into an outcome.
func mailFailure(ctx context.Context, err error) Outcome {
	o := Outcome{Kind: Retry, ErrorClass: ClassMail}
	if status, said := notify.Rejection(err); status != 0 {
		o.Status, o.Response = status, text([]byte(said))
		return o
	}
	switch class := egress.Class(err); {
	case errors.Is(context.Cause(ctx), errAttemptTimeout):
		o.ErrorClass = egress.ClassTimeout
	case class != egress.ClassProtocol:
		o.ErrorClass = class
	default:
		o.Response = text([]byte(egress.Message(err)))
	}
	return o
}
