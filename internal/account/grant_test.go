package account_test

import (
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/account"
	"github.com/millrace/millrace/internal/fetch/config"
)

func TestATokenIsDueBeforeItEnds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		life, age time.Duration // of the access token; life 0: it is not known
		want      bool
	}{
		"its end is not known":    {0, 1000 * time.Hour, false},
		"young":                   {time.Hour, time.Minute, false},
		"11 s before its end":     {time.Hour, time.Hour - 11*time.Second, false},
		"10 s before its end":     {time.Hour, time.Hour - 10*time.Second, true},
		"ended":                   {time.Hour, 2 * time.Hour, true},
		"short, a tenth is left":  {20 * time.Second, 18 * time.Second, true},
		"short, more is left":     {20 * time.Second, 17 * time.Second, false},
		"before the clock jumped": {time.Hour, -time.Hour, false},
	} {
		g := &millrace.Grant{GrantedAt: millrace.TimeOf(at)}
		if c.life > 0 {
			g.ExpiresAt = millrace.TimeOf(at.Add(c.life))
		}
		if got := account.IsDue(g, at.Add(c.age)); got != c.want {
			t.Errorf("%s: due is %t", name, got)
		}
	}
	if account.IsDue(nil, at) {
		t.Error("an account without a grant has no token that is due")
	}
}

func TestAnotherPairIsPlanned(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	plan := func(life time.Duration, used, refreshable bool, o *config.OAuth) time.Duration {
		g := &millrace.Grant{GrantedAt: millrace.TimeOf(at), Used: used}
		if life > 0 {
			g.ExpiresAt = millrace.TimeOf(at.Add(life))
		}
		if account.PlanRefresh(g, at, refreshable, o); g.RefreshAt == 0 {
			return -1
		}
		return g.RefreshAt.Std().Sub(at)
	}
	for name, c := range map[string]struct {
		life              time.Duration
		used, refreshable bool
		oauth             *config.OAuth
		from, to          time.Duration
	}{
		"without a refresh token":                {time.Hour, true, false, nil, -1, -1},
		"in use: ahead of its end":               {time.Hour, true, true, nil, 52*time.Minute + 30*time.Second, 55 * time.Minute},
		"in use and short: a fifth ahead":        {time.Minute, true, true, nil, 42 * time.Second, 48 * time.Second},
		"in use, with a margin":                  {time.Hour, true, true, &config.OAuth{Margin: 20 * time.Minute}, 30 * time.Minute, 40 * time.Minute},
		"in use, with a margin that is too long": {time.Hour, true, true, &config.OAuth{Margin: 2 * time.Hour}, 15 * time.Minute, 30 * time.Minute},
		"idle":                                   {time.Hour, false, true, nil, 24 * time.Hour, 24 * time.Hour},
		"idle, and soon dead":                    {time.Hour, false, true, &config.OAuth{IdleLimit: 10 * time.Hour}, 5 * time.Hour, 5 * time.Hour},
		"its end is not known":                   {0, true, true, nil, -1, -1},
		"not known, with a limit":                {0, true, true, &config.OAuth{IdleLimit: 10 * time.Hour}, 5 * time.Hour, 5 * time.Hour},
	} {
		for range 20 { // it is another moment each time
			if got := plan(c.life, c.used, c.refreshable, c.oauth); got < c.from || got > c.to {
				t.Errorf("%s: planned in %s, want %s to %s", name, got, c.from, c.to)
			}
		}
	}
}
