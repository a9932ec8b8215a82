package plan

import (
	"fmt"
	"math"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// The formats of arguments that name something in the environment.
const (
	FormatAccount   = "integrated_account_id"
	FormatWebhook   = "webhook_id"
	formatDatastore = "datastore_id"
)

// formatNames are the formats that are known. As in a JSON schema, one that is not known allows any text; a known name
// that was misspelled is rejected when the job is saved.
func formatNames() []string {
	return []string{
		FormatAccount, FormatWebhook, formatDatastore, "date", "updated_at", "date-time", "time", "duration", "uuid", "email", "uri", "url",
		"hostname", "ipv4", "ipv6", "idn-email", "idn-hostname", "uri-reference", "iri", "iri-reference", "uri-template",
		"json-pointer", "relative-json-pointer", "regex", "password",
	}
}

// check says what is wrong with a value of the argument, or nothing.
func (a *ArgSchema) check(v jsonata.Value) string {
	if len(a.types) > 0 && !slices.ContainsFunc(a.types, func(t string) bool { return hasType(v, t) }) {
		return fmt.Sprintf("must be of type %s, is %s", strings.Join(a.types, " or "), expr.Brief(v))
	}
	if len(a.choices) > 0 && !slices.ContainsFunc(a.choices, func(c jsonata.Value) bool { return expr.Brief(c) == expr.Brief(v) && sameJSON(c, v) }) {
		return "must be one of " + expr.Brief(jsonata.NewArray(a.choices...)) + ", is " + expr.Brief(v)
	}
	text, ok := v.(string)
	if !ok {
		if len(a.types) == 0 && isID(a.Format) {
			return "must be an id (a UUID), is " + expr.Brief(v)
		}
		return ""
	}
	if wanted := checkFormat(a.Format, text); wanted != "" {
		return "must be " + wanted + ", is " + expr.Brief(v)
	}
	return ""
}

func sameJSON(a, b jsonata.Value) bool {
	x, errX := jsonata.ToJSON(a)
	y, errY := jsonata.ToJSON(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func hasType(v jsonata.Value, name string) bool {
	switch v := v.(type) {
	case string:
		return name == "string"
	case float64:
		return name == "number" || name == "integer" && v == math.Trunc(v)
	case bool:
		return name == "boolean"
	case *jsonata.Object:
		return name == "object"
	case *jsonata.Array:
		return name == "array"
	case jsonata.Null:
		return name == "null"
	}
	return false
}

// isID reports whether a format is that of an id of something in the environment.
func isID(format string) bool {
	return format == FormatAccount || format == FormatWebhook || format == formatDatastore
}

// checkFormat says what a text of a format must be, or nothing when it is.
func checkFormat(format, text string) string {
	var ok bool
	var wanted string
	switch format {
	case FormatAccount, FormatWebhook, formatDatastore, "uuid":
		ok, wanted = millrace.IsID(text), "an id (a UUID)"
	case "date", "updated_at":
		ok, wanted = isTime(text, time.DateOnly, time.RFC3339Nano), "an ISO 8601 date, or date and time with a zone"
	case "date-time":
		ok, wanted = isTime(text, time.RFC3339Nano), "an ISO 8601 date and time with a zone"
	case "time":
		ok, wanted = isTime(text, "15:04:05.999999999Z07:00"), "an ISO 8601 time with a zone"
	case "email", "idn-email":
		address, err := mail.ParseAddress(text)
		ok, wanted = err == nil && address.Address == text, "an e-mail address"
	case "uri", "url", "iri":
		u, err := url.Parse(text)
		ok, wanted = err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "" || u.Path != ""), "an absolute URI"
	case "ipv4", "ipv6":
		ip, err := netip.ParseAddr(text)
		ok, wanted = err == nil && ip.Zone() == "" && ip.Is4() == (format == "ipv4"), "an "+strings.Replace(format, "ip", "IP", 1)+" address"
	default:
		return ""
	}
	if ok {
		return ""
	}
	return wanted
}

func isTime(text string, layouts ...string) bool {
	return slices.ContainsFunc(layouts, func(layout string) bool {
		_, err := time.Parse(layout, text)
		return err == nil
	})
}
