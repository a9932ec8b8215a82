package inbound

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/millrace/millrace"
)

// verbs returns the words of providers for what happens to records, and the event that each stands for.
func verbs() map[string]string {
	return map[string]string{
		"create": millrace.EventRecordCreated, "created": millrace.EventRecordCreated, "creation": millrace.EventRecordCreated,
		"add": millrace.EventRecordCreated, "added": millrace.EventRecordCreated, "insert": millrace.EventRecordCreated, "inserted": millrace.EventRecordCreated,
		"update": millrace.EventRecordUpdated, "updated": millrace.EventRecordUpdated, "change": millrace.EventRecordUpdated, "changed": millrace.EventRecordUpdated,
		"edit": millrace.EventRecordUpdated, "edited": millrace.EventRecordUpdated, "modify": millrace.EventRecordUpdated, "modified": millrace.EventRecordUpdated,
		"delete": millrace.EventRecordDeleted, "deleted": millrace.EventRecordDeleted, "deletion": millrace.EventRecordDeleted,
		"remove": millrace.EventRecordDeleted, "removed": millrace.EventRecordDeleted,
	}
}

// recordEvent returns the event that a provider's own name for it makes: contact.updated is record:updated. A name whose words say
// nothing of the three, or several, is record:meta. One that is nearly one of ours is a mistake, and makes none.
func recordEvent(said string) (string, *millrace.Failure) {
	bare, prefixed := strings.CutPrefix(said, "record:")
	if name := "record:" + bare; millrace.IsRecordEvent(name) {
		return name, nil
	}
	names := []string{"created", "updated", "deleted", "meta"}
	unknown := &millrace.Failure{Path: ".event_type", Message: fmt.Sprintf("%q is not one of %s", cut(said), strings.Join(millrace.RecordEvents(), ", "))}
	if prefixed {
		unknown.Suggest(said, millrace.RecordEvents())
		return "", unknown
	}
	found, known := "", verbs()
	for _, word := range wordsOf(bare) {
		is := known[word]
		switch {
		case is == "":
		case found == "" || found == is:
			found = is
		default:
			return millrace.EventRecordMeta, nil
		}
	}
	if found != "" {
		return found, nil
	}
	if unknown.Suggest(bare, names); unknown.Suggestion != "" {
		return "", unknown
	}
	return millrace.EventRecordMeta, nil
}

// wordsOf splits a name at everything that is no letter, and before capitals: contact.propertyChange has three words.
func wordsOf(name string) []string {
	var b strings.Builder
	before := ' '
	for _, c := range name {
		if unicode.IsUpper(c) && unicode.IsLower(before) {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(c))
		before = c
	}
	return strings.FieldsFunc(b.String(), func(c rune) bool { return !unicode.IsLetter(c) })
}
