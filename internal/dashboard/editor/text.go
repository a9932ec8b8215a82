package editor

import (
	"encoding/json"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
)

// The forms of a text.
const (
	formJSON = "json"
	formYAML = "yaml"
)

// largestYAML is how large a definition is written as YAML: reading it back takes its time.
const largestYAML = 256 << 10

// formOf returns the form of a text, by its first character.
func formOf(text string) string {
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return formJSON
	}
	return formYAML
}

func mediaType(text string) string {
	if formOf(text) == formJSON {
		return "application/json"
	}
	return "application/yaml"
}

// tidy is a text as it was before a browser sent it.
func tidy(text string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
}

// parse reads a text as the API does; nil: it cannot be read.
func parse(text string) *document.Value {
	text = strings.TrimPrefix(text, "\ufeff")
	if formOf(text) == formJSON {
		if root, err := document.ParseJSON([]byte(text)); err == nil {
			return root
		}
	}
	root, err := document.ParseYAML([]byte(text), len(text)+document.MaxYAML)
	if err != nil {
		return nil
	}
	return root
}

// write writes a definition, as YAML if that is wanted and possible.
func write(members []member, form string) string {
	root := &document.Value{Kind: document.KindObject}
	for _, m := range members {
		if v, err := document.ParseJSON(m.raw); err == nil && !isEmpty(v) {
			root.Members = append(root.Members, document.Member{Key: m.key, Value: v})
		}
	}
	if form != formJSON && len(root.JSON()) <= largestYAML {
		if text, ok := document.WriteYAML(root); ok {
			return text
		}
	}
	return document.WriteJSON(root)
}

// member is a part of a definition.
type member struct {
	key string
	raw json.RawMessage
}

func textMember(key, value string) member {
	raw, _ := json.Marshal(value) // a text always has an encoding
	return member{key, raw}
}

// isEmpty reports whether a member says what its absence says.
func isEmpty(v *document.Value) bool {
	switch v.Kind {
	case document.KindNull:
		return true
	case document.KindString:
		return v.Text == ""
	case document.KindNumber:
		return v.Text == "0"
	case document.KindObject:
		return len(v.Members) == 0
	case document.KindArray:
		return len(v.Items) == 0
	case document.KindBool:
	}
	return false
}

// textOfWorkflow writes a workflow.
func textOfWorkflow(v *millrace.Workflow, form string) (string, error) {
	config, err := json.Marshal(v.Config)
	if err != nil {
		return "", err
	}
	return write([]member{textMember("label", v.Label), textMember("trigger_name", v.TriggerName), {"config", config}}, form), nil
}

// textOfJob writes a sync job.
func textOfJob(v *millrace.SyncJob, form string) (string, error) {
	version, err := json.Marshal(v.DefaultRuntimeVersion)
	if err != nil {
		return "", err
	}
	return write([]member{
		textMember("label", v.Label), textMember("integration_name", v.IntegrationName),
		{"default_runtime_version", version},
		textMember("error_handling", string(v.ErrorHandling)),
		{"args_schema", v.ArgsSchema},
		textMember("args_validation", v.ArgsValidation),
		textMember("mutex_key", v.MutexKey), textMember("state_key", v.StateKey),
		{"resources", v.Resources},
	}, form), nil
}
