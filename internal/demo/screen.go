package demo

import (
	"fmt"
	"io"
	"strings"
)

// screen prints the demo: with colours and a moving bar on a terminal, as plain lines elsewhere.
type screen struct {
	out      io.Writer
	terminal bool
	barAt    int // last tenth that plain output has shown
	barOpen  bool
}

const barWidth = 40

func (s *screen) line(format string, args ...any) {
	s.closeBar()
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// hop prints one hop of the data: its name and what happened there.
func (s *screen) hop(name, format string, args ...any) {
	s.line("  %s %s", s.paint("36", fmt.Sprintf("%-11s", name)), fmt.Sprintf(format, args...))
}

// title prints a heading.
func (s *screen) title(text string) {
	s.line("")
	s.line("%s", s.paint("1", text))
}

// check prints one line of the summary and returns ok.
func (s *screen) check(ok bool, what, format string, args ...any) bool {
	mark := s.paint("32", "ok  ")
	if !ok {
		mark = s.paint("31", "FAIL")
	}
	s.line("  %s %-26s %s", mark, what, fmt.Sprintf(format, args...))
	return ok
}

// bar shows how many records have arrived.
func (s *screen) bar(done, total, pages int) {
	share := done * barWidth / max(total, 1)
	text := fmt.Sprintf("%s%s %d/%d records, %d pages", strings.Repeat("#", share), strings.Repeat(".", barWidth-share), done, total, pages)
	if s.terminal {
		_, _ = fmt.Fprintf(s.out, "\r\x1b[2K  %s %s", s.paint("36", fmt.Sprintf("%-11s", "pages")), text)
		s.barOpen = true
		return
	}
	if tenth := done * 4 / max(total, 1); tenth > s.barAt {
		s.barAt = tenth
		s.hop("pages", "%s", text)
	}
}

func (s *screen) closeBar() {
	if s.barOpen {
		s.barOpen = false
		_, _ = fmt.Fprintln(s.out)
	}
}

func (s *screen) paint(code, text string) string {
	if !s.terminal {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
