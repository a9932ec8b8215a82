package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// pageTime is how long the API takes for a page: with none at all there would be nothing to watch.
const pageTime = 40 * time.Millisecond

// attendee, host and booking have the shape of Cal.com's API, version 2.
type attendee struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	TimeZone string `json:"timeZone"`
	Language string `json:"language"`
	Absent   bool   `json:"absent"`
}

type host struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Email    string `json:"email"`
	TimeZone string `json:"timeZone"`
}

type booking struct {
	ID        int        `json:"id"`
	UID       string     `json:"uid"`
	Title     string     `json:"title"`
	Status    string     `json:"status"`
	Hosts     []host     `json:"hosts"`
	Start     time.Time  `json:"start"`
	End       time.Time  `json:"end"`
	Duration  int        `json:"duration"`
	Location  string     `json:"location"`
	CreatedAt time.Time  `json:"createdAt"`
	UpdatedAt time.Time  `json:"updatedAt"`
	Attendees []attendee `json:"attendees"`
}

// bookings makes n bookings that look like a small team's calendar; the same every time.
func bookings(n int) []booking {
	r := rand.New(rand.NewPCG(2026, 11)) //nolint:gosec // the same calendar every time; nothing here is secret
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	day := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	out := make([]booking, n)
	for i := range out {
		start := day.Add(time.Duration(i/6*24+r.IntN(9))*time.Hour + time.Duration(r.IntN(4))*15*time.Minute)
		minutes := 15 * (1 + r.IntN(4))
		h := host{1 + r.IntN(3), "", "", "Europe/Berlin"}
		h.Name = []string{"Ada Winter", "Noor Haddad", "Jonas Lind"}[h.ID-1]
		h.Email = mailbox(h.Name, "acme.example")
		b := booking{
			ID: 10_000 + i, UID: fmt.Sprintf("%08x%08x", r.Uint32(), r.Uint32()),
			Title:  pick("Intro call", "Product demo", "Onboarding", "Quarterly review", "Support session", "Interview"),
			Status: pick("accepted", "accepted", "accepted", "accepted", "cancelled", "pending"),
			Hosts:  []host{h}, Start: start, End: start.Add(time.Duration(minutes) * time.Minute), Duration: minutes,
			Location:  pick("https://meet.example/", "https://video.example/") + strconv.Itoa(100_000+r.IntN(900_000)),
			CreatedAt: start.Add(-time.Duration(1+r.IntN(20)) * 24 * time.Hour), UpdatedAt: start.Add(-time.Hour),
		}
		for range 1 + r.IntN(3) {
			name := pick("Mia", "Liam", "Sofía", "Kenji", "Amara", "Zoë", "Oleg", "Priya") + " " + pick("Keller", "Rossi", "Tanaka", "Okafor", "Novák", "Silva", "O'Brien")
			b.Attendees = append(b.Attendees, attendee{
				Name: name, Email: mailbox(name, pick("globex.example", "initech.example", "umbrella.example")),
				TimeZone: pick("Europe/Berlin", "America/New_York", "Asia/Tokyo", "Africa/Lagos"), Language: pick("en", "de", "ja"),
				Absent: r.IntN(20) == 0,
			})
		}
		b.Title += " between " + b.Hosts[0].Name + " and " + b.Attendees[0].Name
		out[i] = b
	}
	return out
}

func mailbox(name, domain string) string {
	plain := strings.NewReplacer(" ", ".", "'", "", "í", "i", "ë", "e", "á", "a").Replace(strings.ToLower(name))
	return plain + "@" + domain
}

// calcom is a small API in the manner of Cal.com: bookings behind an API key, paged by take and skip.
type calcom struct {
	key      string
	bookings []booking
}

// ServeHTTP implements http.Handler.
func (c *calcom) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	respond := func(status int, body any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	reject := func(status int, code, message string) {
		respond(status, map[string]any{"status": "error", "error": map[string]string{"code": code, "message": message}})
	}
	if r.Header.Get("Authorization") != "Bearer "+c.key {
		reject(http.StatusUnauthorized, "UNAUTHORIZED", "API key is missing or wrong")
		return
	}
	if r.Method != http.MethodGet || r.URL.Path != "/v2/bookings" {
		reject(http.StatusNotFound, "NOT_FOUND", "no such resource")
		return
	}
	take, skip := number(r, "take", 100), number(r, "skip", 0)
	if take < 1 || take > 250 || skip < 0 {
		reject(http.StatusBadRequest, "BAD_REQUEST", "take must be 1 to 250, skip must not be negative")
		return
	}
	from := min(skip, len(c.bookings))
	page := c.bookings[from:min(from+take, len(c.bookings))]
	timer := time.NewTimer(pageTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		return
	}
	respond(http.StatusOK, map[string]any{
		"status": "success", "data": page,
		"pagination": map[string]any{
			"totalItems": len(c.bookings), "returnedItems": len(page), "remainingItems": len(c.bookings) - from - len(page),
			"hasNextPage": from+len(page) < len(c.bookings), "hasPreviousPage": from > 0,
		},
	})
}

func number(r *http.Request, name string, absent int) int {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return n
}
