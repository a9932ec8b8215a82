package tokens

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault is how a token endpoint misbehaves. Those of the first group grant nothing; those of the second grant a token and then fail
// to say so; those of the third say it in a strange way.
type Fault string

// Well is no fault.
const Well Fault = ""

// Nothing was granted.
const (
	CutBefore   Fault = "cut_before"   // the connection breaks off
	ServerError Fault = "server_error" // 500 and JSON
	Busy        Fault = "busy"         // 503 with Retry-After: 7
	TooMany     Fault = "too_many"     // 429 with Retry-After: 7
	Page        Fault = "page"         // 502 and a page for people
	PageOK      Fault = "page_ok"      // 200 and a page for people
	Redirect    Fault = "redirect"     // 307 to a place that must not get the request
	Denied      Fault = "denied"       // 400 invalid_grant
	DeniedOK    Fault = "denied_ok"    // 200 and an error
	NotOK       Fault = "not_ok"       // 200 and "ok": false
)

// A token was granted, and the response is lost.
const (
	CutAfter   Fault = "cut_after"   // the connection breaks off
	CutHalf    Fault = "cut_half"    // it breaks off in the middle of the response
	ErrorAfter Fault = "error_after" // 500 and JSON
	Empty      Fault = "empty"       // 200 and nothing
	Silence    Fault = "silence"     // no response, until [Server.Release]
	Huge       Fault = "huge"        // a response of 2 MiB
	Bomb       Fault = "bomb"        // a small packed response that is large
)

// A token was granted.
const (
	FloatExpiry Fault = "float_expiry" // "expires_in": 3600.5
	TextExpiry  Fault = "text_expiry"  // "expires_in": "3600"
	EmptyExpiry Fault = "empty_expiry" // "expires_in": ""
	NoExpiry    Fault = "no_expiry"    // no expires_in
	Absolute    Fault = "absolute"     // expires_at by the server's clock, instead of expires_in
	Nested      Fault = "nested"       // the token is in authed_user
	Form        Fault = "form"         // a form instead of JSON
	Slow        Fault = "slow"         // byte by byte, for a tenth of a second
	SameRefresh Fault = "same_refresh" // no refresh_token in the response
)

// Faults returns all of them.
func Faults() []Fault {
	return []Fault{
		CutBefore, ServerError, Busy, TooMany, Page, PageOK, Redirect, Denied, DeniedOK, NotOK,
		CutAfter, CutHalf, ErrorAfter, Empty, Silence, Huge, Bomb,
		FloatExpiry, TextExpiry, EmptyExpiry, NoExpiry, Absolute, Nested, Form, Slow, SameRefresh,
	}
}

// before reports whether a fault comes before anything is granted.
func (f Fault) before() bool {
	switch f { //nolint:exhaustive // the others come later
	case CutBefore, ServerError, Busy, TooMany, Page, PageOK, Redirect, Denied, DeniedOK, NotOK:
		return true
	}
	return false
}

// reply is a response; an error has the status 400.
type reply map[string]any

// misbehave responds without having done anything.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, fault Fault) {
	switch fault { //nolint:exhaustive // only some have their place here
	case CutBefore:
		cut(w, "")
	case ServerError:
		s.write(w, http.StatusInternalServerError, reply{"error": "server_error"})
	case Busy, TooMany:
		w.Header().Set("Retry-After", "7")
		s.write(w, map[Fault]int{Busy: http.StatusServiceUnavailable, TooMany: http.StatusTooManyRequests}[fault], reply{"error": "slow_down"})
	case Page, PageOK:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(map[Fault]int{Page: http.StatusBadGateway, PageOK: http.StatusOK}[fault])
		_, _ = io.WriteString(w, "<html><title>Oops</title>"+r.PostForm.Encode()+"</html>")
	case Redirect:
		http.Redirect(w, r, s.URL+"/login", http.StatusTemporaryRedirect)
	case Denied:
		s.write(w, http.StatusBadRequest, reply{"error": "invalid_grant", "error_description": "No more: " + r.PostForm.Get("refresh_token")})
	case DeniedOK:
		s.write(w, http.StatusOK, reply{"error": "bad_refresh_token", "error_description": "No more: " + r.PostForm.Get("refresh_token")})
	case NotOK:
		s.write(w, http.StatusOK, reply{"ok": false, "error": "token_revoked"})
	}
}

// respond says what was done, as well as the fault lets it.
func (s *Server) respond(w http.ResponseWriter, r *http.Request, fault Fault, out reply) {
	status := http.StatusOK
	if out["error"] != nil {
		status = http.StatusBadRequest
	}
	if given, ok := out["status"].(int); ok {
		status = given
	}
	body, _ := json.Marshal(out)
	switch fault { //nolint:exhaustive // only some have their place here
	case CutAfter:
		cut(w, "")
	case CutHalf:
		cut(w, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+string(body[:len(body)/2]))
	case ErrorAfter:
		s.write(w, http.StatusInternalServerError, reply{"error": "server_error"})
	case Empty:
		w.WriteHeader(http.StatusOK)
	case Silence:
		select {
		case <-s.release:
		case <-r.Context().Done():
		}
		cut(w, "")
	case Huge:
		out["padding"] = strings.Repeat("x", 2<<20)
		s.write(w, status, out)
	case Bomb:
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		_, _ = packed.Write([]byte(strings.Repeat(" ", 64<<20)))
		_ = packed.Close()
	case Form:
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
		_, _ = io.WriteString(w, out.form())
	case Slow:
		w.Header().Set("Content-Type", "application/json")
		for _, b := range body {
			_, _ = w.Write([]byte{b})
			_ = http.NewResponseController(w).Flush()
			time.Sleep(100 * time.Millisecond / time.Duration(len(body)))
		}
	default:
		s.write(w, status, s.strange(fault, out))
	}
}

// strange changes the shape of a response.
func (s *Server) strange(fault Fault, out reply) reply {
	if out["access_token"] == nil {
		return out
	}
	switch fault { //nolint:exhaustive // only some have their place here
	case FloatExpiry:
		out["expires_in"] = s.lifetime().Seconds() + 0.5
	case TextExpiry:
		out["expires_in"] = strconv.Itoa(int(s.lifetime().Seconds()))
	case EmptyExpiry:
		out["expires_in"] = ""
	case NoExpiry:
		delete(out, "expires_in")
	case Absolute:
		delete(out, "expires_in")
		out["expires_at"] = s.clock().Add(s.lifetime()).Unix()
	case SameRefresh:
		delete(out, "refresh_token")
	case Nested:
		return reply{"ok": true, "authed_user": out}
	}
	return out
}

func (s *Server) write(w http.ResponseWriter, status int, out reply) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", s.clock().UTC().Format(http.TimeFormat))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out)
}

func (r reply) form() string {
	parts := make([]string, 0, len(r))
	for name, v := range r {
		text, _ := v.(string)
		if n, ok := v.(int); ok {
			text = strconv.Itoa(n)
		}
		parts = append(parts, name+"="+strings.ReplaceAll(text, " ", "+"))
	}
	return strings.Join(parts, "&")
}

// cut breaks the connection off, after some bytes.
func cut(w http.ResponseWriter, first string) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = buffered.WriteString(first)
	_ = buffered.Flush()
	_ = conn.Close()
}
