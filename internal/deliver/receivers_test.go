package deliver

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/webhook"
)

const recordBody = `{"id":"e2","event":"sync_job_run:record","payload":{"records":[{"n":1}],"meta":{"sync_job_run_id":"r","sequence":7}}}`

// startReceiver starts one of the example programs with a secret. It returns its address, and the lines that it prints.
func startReceiver(t *testing.T, secret, command, file string) (string, *bufio.Scanner) {
	t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		t.Skipf("SKIPPED: example receiver %s: %v", file, err)
	}
	path, err := filepath.Abs(filepath.Join("../../examples/receivers", file))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), command, path)
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret, "PORT=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("%s printed nothing", file)
	}
	return "http://127.0.0.1:" + strings.TrimPrefix(lines.Text(), "listening on "), lines
}

func TestExampleReceivers(t *testing.T) {
	t.Parallel()
	for command, file := range map[string]string{"node": "receiver.mjs", "python3": "receiver.py"} {
		for name, secret := range map[string]string{"bare": uuidSecret, "whsec": whsecSecret, "changing": "new-secret," + uuidSecret} {
			t.Run(file+" "+name, func(t *testing.T) {
				t.Parallel()
				url, lines := startReceiver(t, secret, command, file)
				s := newSender(t, Config{})
				last := secret[strings.LastIndex(secret, ",")+1:]
				send := func(secret, body string) int {
					m := messageTo(url)
					m.Webhook.Secret, m.Body, m.ID = secret, []byte(body), millrace.DeliveryID("d-"+body[:10])
					return s.Send(t.Context(), m).Status
				}
				for i, want := range []int{200, 200} {
					if got := send(last, recordBody); got != want {
						t.Errorf("delivery %d: responded %d, want %d", i, got, want)
					}
				}
				if got := send("another secret", recordBody); got != http.StatusUnauthorized {
					t.Errorf("signed with another secret: responded %d, want 401", got)
				}
				if got := send(last, signedBody); got != http.StatusOK {
					t.Errorf("next delivery: responded %d, want 200", got)
				}
				for _, want := range []string{"sync_job_run:record 1", "test"} { // the repetition is left out
					if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
						t.Errorf("handled %q, want %q", lines.Text(), want)
					}
				}
			})
		}
	}
}

// Our own receiver kit takes what we send, with the current secret and with the one on its way out.
func TestReceiverKitVerifies(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := millrace.Webhook{Secret: whsecSecret, PreviousSecret: uuidSecret, PreviousExpiresAt: millrace.TimeOf(now.Add(time.Hour))}
	for _, secret := range []string{whsecSecret, uuidSecret} {
		v, err := webhook.NewVerifier(secret)
		if err != nil {
			t.Fatal(err)
		}
		standard := signedHeader(w, now)
		if err := v.Verify(standard, []byte(signedBody)); err != nil {
			t.Errorf("standard headers: %v", err)
		}
		if err := standardVerifier(t, secret).Verify([]byte(signedBody), standard); err != nil {
			t.Errorf("the library of Standard Webhooks: %v", err)
		}
		compatible := standard.Clone()
		compatible.Del("Webhook-Signature")
		if err := v.Verify(compatible, []byte(signedBody)); err != nil {
			t.Errorf("compatible header: %v", err)
		}
	}
	expired := signedHeader(w, now.Add(2*time.Hour))
	if got := expired.Get("Webhook-Signature"); strings.Contains(got, " ") || expired.Get("X-Truto-Signature-Previous") != "" {
		t.Errorf("a secret that has expired still signs: %v", expired)
	}
}

// The kit's handler behind our sender: a repetition is acknowledged and not handled again.
func TestReceiverKitHandles(t *testing.T) {
	t.Parallel()
	v, err := webhook.NewVerifier(uuidSecret)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	url := receiver(t, webhook.NewHandler(v, webhook.NewMemory(10), func(_ context.Context, d *webhook.Delivery) error {
		got = append(got, d.Event)
		return nil
	}).ServeHTTP)
	s := newSender(t, Config{})
	for range 2 {
		m := messageTo(url)
		m.Body = []byte(recordBody)
		if o := s.Send(t.Context(), m); o.Status != http.StatusOK {
			t.Errorf("responded %d", o.Status)
		}
	}
	if len(got) != 1 || got[0] != millrace.EventRunRecord {
		t.Errorf("handled %v", got)
	}
}

// Started without a secret they say so, in a sentence.
func TestExampleReceiversWantASecret(t *testing.T) {
	t.Parallel()
	for command, file := range map[string]string{"node": "receiver.mjs", "python3": "receiver.py"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(command); err != nil {
				t.Skipf("SKIPPED: example receiver %s: %v", file, err)
			}
			for _, env := range []string{"WEBHOOK_SECRET=", "OTHER=x"} {
				cmd := exec.CommandContext(t.Context(), command, filepath.Join("../../examples/receivers", file))
				cmd.Env = []string{"PATH=" + os.Getenv("PATH"), env}
				out, err := cmd.CombinedOutput()
				if cmd.ProcessState.ExitCode() != 2 || strings.Count(string(out), "\n") != 1 || !strings.HasPrefix(string(out), "WEBHOOK_SECRET is not set: ") {
					t.Errorf("with %s: got %v: %s", env, err, out)
				}
			}
		})
	}
}
