package httpapi

import "strings"

// unserved are the published paths of the reference that belong to features which there are not, by the beginning of the path; *
// stands for any segment.
func unserved() [][2]string {
	return [][2]string{
		{"integrated-account/*/tools", "tools"},
		{"integrated-account/*/mcp", "MCP servers"},
		{"integration/*/tools", "tools"},
		{"integration/*/unified-apis", "calls of the unified API"},
		{"mcp", "MCP servers"},
		{"platform", "MCP servers"},
		{"unified", "calls of the unified API"},
		{"unified-model", "unified models"},
		{"unified-model-resource-method", "unified models"},
		{"environment-unified-model", "unified models"},
		{"environment-unified-model-resource-method", "unified models"},
		{"batch-request", "batch requests"},
		{"datastore", "datastores"},
		{"daemon", "daemons"},
		{"daemon-job", "daemons"},
		{"daemon-job-run", "daemons"},
		{"daemon-job-cron-trigger", "daemons"},
		{"documentation", "documentation rows"},
		{"category", "categories"},
		{"file", "uploads of files"},
		{"alarm", "alarms"},
		{"team", "teams"},
		{"user", "users"},
	}
}

// missingFeature returns the feature that a path belongs to and that there is not; empty: none.
func missingFeature(path string) string {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for _, u := range unserved() {
		if begins(segments, strings.Split(u[0], "/")) {
			return u[1]
		}
	}
	return ""
}

func begins(segments, pattern []string) bool {
	if len(segments) < len(pattern) {
		return false
	}
	for i, p := range pattern {
		if p != "*" && p != segments[i] {
			return false
		}
	}
	return true
}
