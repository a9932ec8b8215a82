package notify

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

	"github.com/millrace/millrace"
)

// TLSMode says how a connection to an SMTP server is protected.
type TLSMode string

// The modes.
const (
	TLSStart    TLSMode = "starttls" // STARTTLS, which the server must have
	TLSImplicit TLSMode = "tls"      // from the first byte
	TLSNone     TLSMode = "none"     // not at all; no password is sent like that
)

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

// Mail is one mail with a notice.
type Mail struct {
	ID     string // stable: a repetition carries the id that it had before
	To     millrace.NotificationConfig
	Notice Notice
}

// Send makes one attempt. The server has taken the mail when there is no error. See [Rejection] for what it said otherwise.
func (m *Mailer) Send(ctx context.Context, of Mail) error {
	msg, err := m.message(of)
	if err != nil {
		return err
	}
	var open net.Conn
	mailer := *m
	mailer.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		var err error
		open, err = m.Dial(ctx, network, address)
		return open, err
	}
	defer func() {
		if open != nil {
			_ = open.Close() // a client that gives up at the greeting leaves it open
		}
	}()
	client, err := mailer.client(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err = client.DialAndSendWithContext(ctx, msg); msg.IsDelivered() {
		return nil
	}
	return err
}

// ErrInvalid is the error of a mail that cannot be written, whatever the server says.
var ErrInvalid = errors.New("the mail cannot be written")

// Rejection returns the status and the text with which a server did not take a mail; 0 when the error is none of its own.
func Rejection(err error) (int, string) {
	var rejected *mail.SendError
	if errors.As(err, &rejected) && rejected.ErrorCode() != 0 {
		return rejected.ErrorCode(), rejected.Error()
	}
	return 0, ""
}

// client returns a client for one conversation.
func (m *Mailer) client(ctx context.Context) (*mail.Client, error) {
	timeout := time.Minute // every attempt has a deadline; this one ends what has none
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
func (m *Mailer) message(of Mail) (*mail.Msg, error) {
	msg := mail.NewMsg()
	err := errors.Join(msg.From(m.From), msg.To(of.To.To...), msg.Cc(of.To.Cc...), msg.Bcc(of.To.Bcc...))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	msg.Subject(strings.TrimSpace(of.To.SubjectPrefix + " " + of.Notice.Title))
	msg.SetMessageIDWithValue(of.ID + "@millrace")
	msg.SetBodyString(mail.TypeTextPlain, of.Notice.Text())
	return msg, nil
}
