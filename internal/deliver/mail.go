package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/millrace/millrace/internal/egress"
)

// ClassMail is the class of a mail that the SMTP server did not take; the status is the server's.
const ClassMail = "smtp"

// ClassNoMail is the class of a mail that cannot be sent because the server has no SMTP server.
const ClassNoMail = "no_smtp_server"

// TLSMode says how a connection to an SMTP server is protected.
type TLSMode string

// The modes.
const (
	TLSStart    TLSMode = "starttls" // STARTTLS, which the server must have
	TLSImplicit TLSMode = "tls"      // from the first byte
	TLSNone     TLSMode = "none"     // not at all; no password is sent like that
)

// mailTaken is what a mail server answers to a mail that it takes (RFC 5321, section 4.2.3).
const mailTaken = 250

// Mailer is the SMTP server that notifications are sent through.
type Mailer struct {
	Host     string
	Port     int
	User     string // empty: no authentication
	Password string
	From     string
	TLS      TLSMode
	Roots    *x509.CertPool // nil: the system's
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// Check returns what is wrong with the settings.
func (m *Mailer) Check() error {
	if m.Host == "" || m.Port < 1 || m.Port > 65535 {
		return errors.New("an SMTP server needs a host and a port")
	}
	if err := mail.NewMsg().From(m.From); err != nil {
		return errors.New("the sender of mails is not a mail address")
	}
	if m.TLS == TLSNone && m.User != "" {
		return errors.New("a password is sent to an SMTP server only with TLS")
	}
	return nil
}

// mail makes one attempt to send a notification by mail.
func (s *Sender) mail(ctx context.Context, m Message) Outcome {
	if s.mailer == nil {
		return Outcome{Kind: Retry, ErrorClass: ClassNoMail}
	}
	msg, err := s.mailer.message(m)
	if err != nil {
		return Outcome{Kind: Retry, ErrorClass: ClassInvalid}
	}
	var open net.Conn
	mailer := *s.mailer
	mailer.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		open, err = s.mailer.Dial(ctx, network, address)
		return open, err
	}
	defer func() {
		if open != nil {
			_ = open.Close() // a client that gives up at the greeting leaves it open
		}
	}()
	client, err := mailer.client(ctx)
	if err != nil {
		return Outcome{Kind: Retry, ErrorClass: ClassInvalid}
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if err == nil || msg.IsDelivered() {
		return Outcome{Kind: Delivered, Status: mailTaken}
	}
	return mailFailure(ctx, err)
}

// mailFailure turns what a mail server said into an outcome.
func mailFailure(ctx context.Context, err error) Outcome {
	o := Outcome{Kind: Retry, ErrorClass: ClassMail}
	var refused *mail.SendError
	if errors.As(err, &refused) && refused.ErrorCode() != 0 {
		o.Status, o.Response = refused.ErrorCode(), text([]byte(refused.Error()))
		return o
	}
	switch class := classify(err); {
	case errors.Is(context.Cause(ctx), errAttemptTimeout):
		o.ErrorClass = ClassTimeout
	case class != ClassProtocol:
		o.ErrorClass = class
	default:
		o.Response = text([]byte(egress.Message(err)))
	}
	return o
}

// client returns a client for one conversation.
func (m *Mailer) client(ctx context.Context) (*mail.Client, error) {
	timeout := defaultTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(deadline), time.Second)
	}
	options := []mail.Option{mail.WithPort(m.Port), mail.WithTimeout(timeout), mail.WithDialContextFunc(m.Dial)}
	config := &tls.Config{ServerName: m.Host, RootCAs: m.Roots, MinVersion: tls.VersionTLS12}
	options = append(options, mail.WithTLSConfig(config))
	switch m.TLS {
	case TLSNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case TLSImplicit:
		dial := m.Dial
		options = append(options, mail.WithTLSPolicy(mail.NoTLS), mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return tls.Client(conn, config), nil
		}))
	case TLSStart:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.User != "" {
		auth := mail.SMTPAuthAutoDiscover
		if m.TLS == TLSImplicit {
			auth = mail.SMTPAuthPlain // the client does not know that the connection is protected, and finds no other
		}
		options = append(options, mail.WithSMTPAuth(auth), mail.WithUsername(m.User), mail.WithPassword(m.Password))
	}
	return mail.NewClient(m.Host, options...)
}

// message writes the mail.
func (m *Mailer) message(of Message) (*mail.Msg, error) {
	n, err := noticeOf(of)
	if err != nil {
		return nil, err
	}
	config := of.Webhook.Notice()
	msg := mail.NewMsg()
	err = errors.Join(msg.From(m.From), msg.To(config.To...), msg.Cc(config.Cc...), msg.Bcc(config.Bcc...))
	if err != nil {
		return nil, fmt.Errorf("address mail: %w", err)
	}
	msg.Subject(strings.TrimSpace(config.SubjectPrefix + " " + n.title))
	msg.SetMessageIDWithValue(string(of.ID) + "@millrace")
	msg.SetBodyString(mail.TypeTextPlain, n.text())
	return msg, nil
}
