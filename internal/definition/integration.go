package definition

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/internal/fetch/config"
	"github.com/millrace/millrace/internal/schedule"
)

var slug = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckIntegrationName returns what is wrong with the name of an integration. An empty one is not looked at.
func CheckIntegrationName(name string) []millrace.Failure {
	if name == "" || slug.MatchString(name) {
		return nil
	}
	return []millrace.Failure{{Path: "name", Message: "must consist of letters, digits, dots, dashes and underscores"}}
}

// CheckIntegrationConfig returns what is wrong with the config of an integration, at paths below config.
func CheckIntegrationConfig(raw json.RawMessage) []millrace.Failure {
	if len(raw) == 0 {
		return nil // absent, which is reported as such
	}
	compiled, err := config.Parse(raw)
	return append(millrace.FailuresOf("config", err), checkSchedules(compiled)...)
}

// checkSchedules returns what is wrong with the schedules of actions.
func checkSchedules(c *config.Config) []millrace.Failure {
	if c == nil {
		return nil
	}
	var failures []millrace.Failure
	for _, name := range slices.Sorted(maps.Keys(c.Schedules)) {
		_, err := schedule.ParseCron(c.Schedules[name].Cron, c.Schedules[name].Timezone)
		for _, f := range millrace.FailuresOf("", err) {
			f.Path = config.RootPath + ".actions." + name + "." + f.Path
			failures = append(failures, f)
		}
	}
	return failures
}

// CheckOverride returns what is wrong with an override, at paths below the one where it stands: slots that a config does not have,
// and whatever the config would be wrong with that it makes of those below it.
func CheckOverride(path string, override, base json.RawMessage, between ...json.RawMessage) []millrace.Failure {
	v, err := expr.ParseJSON(override)
	if len(override) == 0 || err != nil {
		return nil // absent, or reported as what it is
	}
	o, _ := v.(*expr.Object)
	if o == nil || o.Len() == 0 {
		return nil
	}
	var failures []millrace.Failure
	for _, slot := range o.Keys() {
		if !slices.Contains(config.Slots(), slot) {
			f := millrace.Failure{Path: path + "." + slot, Message: "is no slot of a config"}
			f.Suggest(slot, config.Slots())
			failures = append(failures, f)
		}
	}
	if len(failures) > 0 {
		return failures
	}
	compiled, err := config.Parse(config.Merge(base, append(slices.Clone(between), override)...))
	failures = append(millrace.FailuresOf(config.RootPath, err), checkSchedules(compiled)...)
	for i := range failures {
		failures[i].Path = path + strings.TrimPrefix(failures[i].Path, config.RootPath)
	}
	return failures
}
