package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver/notify"
)

// request returns an error when the webhook cannot be called at all.
func (s *Sender) request(ctx context.Context, m Message, at time.Time) (*http.Request, error) {
	if m.Webhook.Notification == millrace.NotifySlack {
		return s.slackRequest(ctx, m)
	}
	if m.Webhook.Secret == "" {
		return nil, errors.New("the webhook has no secret to sign with")
	}
	u, err := url.Parse(m.Webhook.TargetURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("the target URL is not an HTTP URL") // without err, which would repeat the URL
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Webhook.TargetURL, bytes.NewReader(m.Body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", millrace.DeliveryContentType(m.Body))
	req.Header.Set("User-Agent", s.userAgent)
	req.Header.Set("Accept-Encoding", "identity")
	// An empty list is not sent; it tells the transport that the request may be repeated when a kept-alive connection
	// turns out to be closed. The delivery id makes the repetition harmless.
	req.Header["Idempotency-Key"] = []string{}
	signature{prefix: s.prefix, webhook: m.Webhook, id: m.ID, at: at, body: m.Body}.setHeaders(req.Header)
	return req, nil
}

// slackRequest asks an incoming webhook of Slack to show a notice. It is not signed: the address is the secret.
func (s *Sender) slackRequest(ctx context.Context, m Message) (*http.Request, error) {
	n, err := notify.Of(m.Body, m.More...)
	if err != nil {
		return nil, err
	}
	body, err := n.Slack()
	if err != nil {
		return nil, fmt.Errorf("encode notice: %w", err)
	}
	req, err := s.post(ctx, m.Webhook.Notice().WebhookURL, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}

func (s *Sender) post(ctx context.Context, target string, body []byte) (*http.Request, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, errors.New("the target URL is not an HTTP URL") // without err, which would repeat the URL
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("User-Agent", s.userAgent)
	req.Header.Set("Accept-Encoding", "identity")
	return req, nil
}
