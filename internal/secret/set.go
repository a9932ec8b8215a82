package secret

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Set says which members of the contexts of an integration's accounts are secret. It is immutable.
type Set struct {
	paths     [][]string      // of the context
	variables map[string]bool // environment variables that are secret by their use
	used      []string        // names of what credentials are made of, for messages: of members that are no secret, too
}

// NewSet returns what a config and the overrides over it declare, beside the fixed paths. Each document counts by itself:
// what the integration calls secret stays so when an installation asks for other fields. A document that is no object
// declares nothing.
func NewSet(docs ...json.RawMessage) *Set {
	d := &declared{secret: map[string]bool{}, public: map[string]bool{}, used: map[string]bool{}, authorized: map[string]bool{}}
	for _, raw := range docs {
		var doc map[string]any
		if len(raw) > 0 && json.Unmarshal(raw, &doc) == nil {
			d.read(doc)
		}
	}
	for path := range d.authorized {
		if !d.public[path] {
			d.secret[path] = true
		}
	}
	s := &Set{variables: map[string]bool{}}
	for _, path := range FixedPaths() {
		s.paths = append(s.paths, strings.Split(path, "."))
	}
	for path := range d.secret {
		s.add(path)
	}
	slices.SortFunc(s.paths, slices.Compare)
	s.paths = slices.CompactFunc(s.paths, slices.Equal)
	for name := range d.used {
		s.used = append(s.used, name[strings.LastIndexByte(name, '.')+1:])
	}
	for name := range d.secret {
		s.used = append(s.used, name[strings.LastIndexByte(name, '.')+1:])
	}
	slices.Sort(s.used)
	s.used = slices.Compact(s.used)
	return s
}

func (s *Set) add(path string) {
	for _, root := range []string{"environment_variables.", "context.environment_variables."} {
		if name, ok := strings.CutPrefix(path, root); ok {
			s.variables[name] = true
			return
		}
	}
	s.paths = append(s.paths, []string{path}, strings.Split(path, "."))
}

// Paths lists the secret members of a context, each by the names that lead to it. One that leads into an array means the
// array.
func (s *Set) Paths() [][]string { return s.paths }

// Names lists the names of members that credentials are made of, for messages to be free of their values.
func (s *Set) Names() []string { return s.used }

// IsVariable reports whether an environment variable is secret because a signature or an authorization reads it.
func (s *Set) IsVariable(name string) bool { return s != nil && s.variables[name] }

// Beyond lists the secret members that another set does not have.
func (s *Set) Beyond(other *Set) [][]string {
	var more [][]string
	for _, path := range s.paths {
		if !slices.ContainsFunc(other.paths, func(p []string) bool { return slices.Equal(p, path) }) {
			more = append(more, path)
		}
	}
	return more
}

// declared collects what documents say of the members of a context, by their dotted paths.
type declared struct {
	secret     map[string]bool // fields of passwords, and what signatures read
	public     map[string]bool // fields that are declared as something else
	authorized map[string]bool // what authorizations send as credentials
	used       map[string]bool // what authorizations read
}

func (d *declared) read(doc map[string]any) {
	d.fields(doc["credentials"])
	d.named(doc["credentials"])
	d.fields(doc["actions"])
	if hook, ok := doc["webhook"].(map[string]any); ok {
		d.signature(hook["signature_verification"])
	}
	d.authorizations(doc)
}

// fields reads the fields that users enter, wherever they are asked for.
func (d *declared) fields(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			d.fields(item)
		}
	case map[string]any:
		for key, member := range v {
			if list, ok := member.([]any); ok && key == "fields" {
				d.inputs(list)
			}
			if key == "keep" {
				d.kept(member)
			}
			d.fields(member)
		}
	}
}

func (d *declared) inputs(list []any) {
	for _, item := range list {
		input, _ := item.(map[string]any)
		name, _ := input["name"].(string)
		if name == "" {
			continue
		}
		kind, _ := input["type"].(string)
		switch hidden := input["secret"]; {
		case strings.EqualFold(kind, "password"), hidden == true, hidden == "true":
			d.secret[name] = true
		case kind != "":
			d.public[name] = true
		}
	}
}

// kept reads what of a redirect and of a token response becomes a secret member.
func (d *declared) kept(v any) {
	lists, _ := v.(map[string]any)
	for _, list := range lists {
		items, _ := list.([]any)
		for _, item := range items {
			kept, _ := item.(map[string]any)
			name, _ := kept["name"].(string)
			if as, ok := kept["as"].(string); ok {
				name = as
			}
			if hidden := kept["secret"]; name != "" && (hidden == true || hidden == "true") {
				d.secret[name[strings.LastIndexByte(name, '.')+1:]] = true
			}
		}
	}
}

// named reads what the credentials of an app are made of, such as client.secret.
func (d *declared) named(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			d.named(item)
		}
	case map[string]any:
		for key, member := range v {
			if IsName(key) {
				addPaths(d.authorized, member)
				addPaths(d.used, member)
			}
			d.named(member)
		}
	}
}

// signature reads what inbound hooks are checked with. All of it is secret but what only describes: whose token it is, and
// the user name beside a password.
func (d *declared) signature(v any) {
	signature, _ := v.(map[string]any)
	config, _ := signature["config"].(map[string]any)
	for _, name := range []string{"secret", "token", "password", "parts", "compare_with", "verification_content"} {
		addPaths(d.secret, config[name])
	}
	if len(pathsIn(config["password"])) == 0 {
		addPaths(d.secret, config["username"])
	}
}

// authorizations reads every authorization below a value: that of the top, of methods and of requests in actions.
func (d *declared) authorizations(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			d.authorizations(item)
		}
	case map[string]any:
		for key, member := range v {
			if key == "authorization" {
				d.authorization(member)
				continue
			}
			d.authorizations(member)
		}
	}
}

func (d *declared) authorization(v any) {
	authorization, _ := v.(map[string]any)
	config, _ := authorization["config"].(map[string]any)
	for _, name := range []string{"token", "value", "password", "header_value"} {
		addPaths(d.authorized, config[name])
		addPaths(d.used, config[name])
	}
	if len(pathsIn(config["password"])) == 0 {
		addPaths(d.authorized, config["username"])
		addPaths(d.used, config["username"])
	}
	headers, _ := config["headers"].(map[string]any)
	for name, value := range headers {
		addPaths(d.used, value)
		if IsRequestName(name) {
			addPaths(d.authorized, value)
		}
	}
}

func addPaths(to map[string]bool, v any) {
	for _, path := range pathsIn(v) {
		to[path] = true
	}
}

// placeholder matches {{...}} in the texts of configs.
var placeholder = regexp.MustCompile(`\{\{([\w\-./|:?\s]+)\}\}`)

// plainPath matches what can be followed from member to member; of anything else the first member counts.
var plainPath = regexp.MustCompile(`^[\w-]+(\.[A-Za-z_-][\w-]*)*$`)

// pathsIn lists the members of a context that the placeholders of a text, or of texts in a list, read.
func pathsIn(v any) []string {
	var paths []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			paths = append(paths, pathsIn(item)...)
		}
	case string:
		for _, match := range placeholder.FindAllStringSubmatch(v, -1) {
			body, _, _ := strings.Cut(match[1], "?:")
			for alternative := range strings.SplitSeq(body, "|") {
				alternative, _, _ = strings.Cut(alternative, ":")
				for branch := range strings.FieldsSeq(alternative) {
					paths = append(paths, pathOf(branch)...)
				}
			}
		}
	}
	return paths
}

// pathOf returns the member that a path leads to; none for the context as a whole.
func pathOf(path string) []string {
	for _, root := range []string{"context.", "credentials."} {
		path = strings.TrimPrefix(path, root)
	}
	if path == "context" || path == "credentials" {
		return nil
	}
	if plainPath.MatchString(path) {
		return []string{path}
	}
	first := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("./", r) })
	return first[:min(len(first), 1)]
}
