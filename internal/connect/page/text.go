package page

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"golang.org/x/text/language"
)

// texts are the catalogues of what the page says, by language. English comes first and has every text.
type texts struct {
	matcher language.Matcher
	tags    []language.Tag
	all     []map[string]string
}

// languages are the ones that there is a catalogue of, the first for those who want another.
func languages() []string { return []string{"en", "de", "fr", "es", "pt", "ja"} }

func loadTexts() (*texts, error) {
	t := &texts{}
	for _, name := range languages() {
		raw, err := files.ReadFile(path.Join("texts", name+".json"))
		if err != nil {
			return nil, err
		}
		catalogue := map[string]string{}
		if err := json.Unmarshal(raw, &catalogue); err != nil {
			return nil, fmt.Errorf("read the texts of %s: %w", name, err)
		}
		t.tags, t.all = append(t.tags, language.MustParse(name)), append(t.all, catalogue)
	}
	t.matcher = language.NewMatcher(t.tags)
	return t, nil
}

// of returns the language for a browser that wants some, and what finds its texts. A text that is in no catalogue is returned unchanged.
func (t *texts) of(accept string) (string, func(string) string) {
	if len(accept) > 200 {
		accept = accept[:200]
	}
	wanted, _, err := language.ParseAcceptLanguage(accept)
	i := 0
	if err == nil {
		_, i, _ = t.matcher.Match(wanted...)
	}
	return t.tags[i].String(), func(key string) string {
		for _, catalogue := range []map[string]string{t.all[i], t.all[0]} {
			if text, ok := catalogue[strings.ToLower(key)]; ok {
				return text
			}
		}
		return key
	}
}
