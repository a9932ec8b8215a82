package delivery

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/deliver"
	"github.com/millrace/millrace/internal/event/catalogue"
	"github.com/millrace/millrace/internal/httpapi/rest"
)

// tester sends events that did not happen.
type tester struct {
	sender *deliver.Sender
	clock  func() time.Time
}

// send sends an event with its example once, and says what the endpoint responded.
func (t tester) send(ctx context.Context, v *millrace.Webhook, name string) (*rest.Reply[rest.Success], error) {
	known, _ := catalogue.Find(name) // the caller has checked that there is one
	e, err := millrace.NewEvent(v.EnvironmentID, name, known.Example)
	if err != nil {
		return nil, err
	}
	e.ID, e.CreatedAt = millrace.NewID[millrace.EventID](), millrace.TimeOf(t.clock())
	o := t.sender.Test(ctx, v, e)
	if o.Kind == deliver.Delivered {
		return rest.Succeeded(), nil
	}
	return nil, millrace.Errorf(millrace.KindInvalid, "the test event was not delivered: %s", reason(&o))
}

// reason says why a test event was not delivered.
func reason(o *deliver.Outcome) string {
	text := http.StatusText(o.Status)
	if o.ErrorClass == deliver.ClassMail {
		text = o.Response // what a mail server responds has no other words
	}
	switch {
	case o.Status != 0:
		return fmt.Sprintf("the endpoint responded with %d: %s", o.Status, text)
	case text != "":
		return text
	}
	return "no response: " + o.ErrorClass
}
