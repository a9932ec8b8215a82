package deliver

import (
	"testing"

	"github.com/millrace/millrace"
)

// The slow webhooks of one environment leave room for those of others, and for those of any that respond at once.
func TestSlowWebhooksOfOneEnvironmentLeaveRoom(t *testing.T) {
	t.Parallel()
	c := newBulkhead(8)
	enter := func(env millrace.EnvironmentID, n int) (in []func()) {
		for range n {
			key := millrace.TaskKey(env, millrace.NewID[millrace.WebhookID]())
			c.remember(key, true)
			if leave, ok := c.enter(env, key); ok {
				in = append(in, leave)
			}
		}
		return in
	}
	first, second, third := enter("first", 20), enter("second", 20), enter("third", 20)
	if len(first) != 4 || len(second) != 2 || len(third) != 1 {
		t.Errorf("got %d, %d and %d of 8, want 4, 2 and 1", len(first), len(second), len(third))
	}
	if _, ok := c.enter("first", "responds at once"); !ok {
		t.Error("a webhook that responds at once has to wait")
	}
	for _, leave := range append(append(first, second...), third...) {
		leave()
	}
	if c.in != 0 || len(c.envs) != 0 {
		t.Errorf("%d are counted after all have left, %v", c.in, c.envs)
	}
	if again := enter("second", 20); len(again) != 4 {
		t.Errorf("got %d of 8 alone, want 4", len(again))
	}
}
