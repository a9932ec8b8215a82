package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/millrace/millrace/internal/document"
)

// file is one file of an archive.
type file struct {
	name string
	data []byte
}

// archive is a script and the files behind it.
type archive struct {
	script []line
	files  []file
	names  []replacement
	alone  bool // it needs a server of its own
}

// replacement is a name of the script and what it stands for.
type replacement struct{ name, value string }

// line is one statement of a script: a line, with the indented lines that follow it.
type line struct {
	number int
	text   string
}

// worlds is the folder of the archives that others include.
const worlds = "worlds"

// maxSize bounds what YAML may become.
const maxSize = 1 << 20

// readArchive reads a txtar archive: a script, then files, each after a line "-- name --". The format is so small that
// reading it here costs less than a dependency. What it includes comes first: its script, and its files, which a file
// of the same name replaces or changes.
func readArchive(path string) (*archive, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	script, files := split(string(text))
	a := &archive{}
	for _, l := range statements(script) {
		verb, rest := word(l.text)
		first, behind := word(rest)
		switch verb {
		case "include":
			included, err := readArchive(filepath.Join(filepath.Dir(path), includedFrom(path), first+".txtar"))
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", l.number, err)
			}
			a.script = append(a.script, included.script...)
			a.names = append(a.names, included.names...)
			for _, f := range included.files {
				if err := a.add(f); err != nil {
					return nil, err
				}
			}
		case "name":
			value := strings.TrimLeft(behind, " ") // lines keep their indentation
			if value == "" {
				return nil, fmt.Errorf("line %d: a name stands for something: name NAME value", l.number)
			}
			a.names = append(a.names, replacement{"$" + first, value})
		case "alone":
			if err := nothing(rest); err != nil {
				return nil, fmt.Errorf("line %d: %w", l.number, err)
			}
			a.alone = true
		default:
			a.script = append(a.script, l)
		}
	}
	for _, f := range files {
		if err := a.add(f); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// includedFrom is the folder of the worlds, seen from the folder of an archive.
func includedFrom(path string) string {
	if filepath.Base(filepath.Dir(path)) == worlds {
		return "."
	}
	return worlds
}

// split cuts an archive into its script and its files.
func split(text string) (string, []file) {
	var script strings.Builder
	var files []file
	for l := range strings.Lines(text) {
		name, isMarker := strings.CutPrefix(strings.TrimRight(l, "\r\n"), "-- ")
		if name, ended := strings.CutSuffix(name, " --"); isMarker && ended {
			files = append(files, file{name: strings.TrimSpace(name)})
			continue
		}
		if len(files) == 0 {
			script.WriteString(l)
			continue
		}
		last := &files[len(files)-1]
		last.data = append(last.data, l...)
	}
	return script.String(), files
}

// statements cuts a script into its statements, without comments and empty lines.
func statements(script string) []line {
	var out []line
	number := 0
	for l := range strings.Lines(script) {
		number++
		l = strings.TrimRight(l, "\r\n ")
		switch {
		case strings.TrimSpace(l) == "" || strings.HasPrefix(strings.TrimSpace(l), "#"):
		case strings.HasPrefix(l, " ") && len(out) > 0:
			out[len(out)-1].text += "\n" + l
		default:
			out = append(out, line{number, l})
		}
	}
	return out
}

// add adds a file, or replaces the one of that name. "name +" changes the one of that name, "name like other" begins with
// another one.
func (a *archive) add(f file) error {
	name, base, changes := strings.Cut(f.name, " like ")
	if !changes {
		name, changes = strings.CutSuffix(f.name, " +")
		base = name
	}
	if changes {
		at := slices.IndexFunc(a.files, func(o file) bool { return o.name == base })
		if at < 0 {
			return fmt.Errorf("%s: there is no %s to change", f.name, base)
		}
		merged, err := merge(a.files[at].data, f.data)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		f = file{name: name, data: merged}
	}
	if at := slices.IndexFunc(a.files, func(o file) bool { return o.name == name }); at >= 0 {
		a.files[at] = f
	} else {
		a.files = append(a.files, f)
	}
	return nil
}

// merge changes a document by another, as a JSON merge patch does. The result is JSON, which is YAML as well.
func merge(base, patch []byte) ([]byte, error) {
	b, err := document.ParseYAML(base, maxSize)
	if err != nil {
		return nil, err
	}
	p, err := document.ParseYAML(patch, maxSize)
	if err != nil {
		return nil, err
	}
	b.Merge(p)
	return b.JSON(), nil
}

// resolve puts what names stand for in their place, in the script and in the files. A name may stand in the value of a
// name behind it.
func (a *archive) resolve(builtIn ...replacement) error {
	names := append(slices.Clone(builtIn), a.names...)
	var pairs []string
	sorted := slices.Clone(names)
	slices.SortStableFunc(sorted, func(x, y replacement) int { return len(y.name) - len(x.name) })
	for i, n := range sorted {
		if i > 0 && sorted[i-1].name == n.name {
			return fmt.Errorf("the name %s is given twice", n.name)
		}
		pairs = append(pairs, n.name, n.value)
	}
	replacer := strings.NewReplacer(pairs...)
	put := func(text string) string {
		for range 3 { // names in names
			text = replacer.Replace(text)
		}
		return text
	}
	for i := range a.script {
		a.script[i].text = put(a.script[i].text)
	}
	for i := range a.files {
		a.files[i].data = []byte(put(string(a.files[i].data)))
	}
	return nil
}
