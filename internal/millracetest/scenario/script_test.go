package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A scenario that says something wrong must not check less: it is rejected.
func TestWrongStatementsAreRejected(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"conect {}":                         "no statement",
		"list /event []\nsettle":            "expectations come last",
		"settle now":                        "nothing may follow",
		"reconnect a b":                     "nothing may follow",
		"decisions []\ndecisions []":        "given twice",
		"deliveries a []\ndeliveries a []":  "given twice",
		"pages []\npages []":                "given twice",
		"until /event {status: x}":          "cannot unmarshal",
		"hook {pth: /x}":                    "unknown field",
		"respond hook [{stauts: 500}]":      "unknown field",
		"list /event":                       "no document",
		"deliveries hook":                   "no document",
		"POST /x {a: } }":                   "not valid YAML",
		"never [a]\n\n# said\nevent x {}":   "line 4",
		"event custom:x\n  {a: 1}\nlist /x": "line 3",
	} {
		_, err := parse(statements(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"worlds/base.txtar": "name ID 7\nname PAIR a: $ID, b: $ID\n-- a.yaml --\nid: $ID\nkeep: yes\n-- b.json --\n{}\n",
		"good.txtar":        "# Said of it.\ninclude base\nrun {$PAIR}\n-- b.json --\n[1]\n-- a.yaml + --\nkeep: no\nmore: { x: 1 }\n-- c.yaml like a.yaml --\nid: 8\n",
		"twice.txtar":       "include base\nname ID 8\n",
		"nothing.txtar":     "-- a.yaml + --\nid: 8\n",
		"unknown.txtar":     "include other\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, err := readArchive(filepath.Join(dir, "good.txtar"))
	if err == nil {
		err = a.resolve()
	}
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, l := range a.script {
		got.WriteString(l.text + "\n")
	}
	for _, f := range a.files {
		got.WriteString(f.name + " " + strings.TrimSpace(string(f.data)) + "\n")
	}
	want := "run {a: 7, b: 7}\n" + `a.yaml {"id":"7","keep":"no","more":{"x":1}}` + "\nb.json [1]\n" + `c.yaml {"id":8,"keep":"no","more":{"x":1}}` + "\n"
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	for name, want := range map[string]string{"twice": "given twice", "nothing": "no a.yaml to change", "unknown": "no such file"} {
		a, err := readArchive(filepath.Join(dir, name+".txtar"))
		if err == nil {
			err = a.resolve()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

// What two scenarios have in common is a world that they include.
func TestNoScenarioRepeatsAnother(t *testing.T) {
	t.Parallel()
	const few = 5 // lines, which say less than a name for them would
	in := map[string]string{}
	worldFiles, err := filepath.Glob("testdata/" + worlds + "/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(Files(t), worldFiles...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, files := split(string(text))
		for _, f := range files {
			if other := in[string(f.data)]; other != "" && strings.Count(string(f.data), "\n") > few {
				t.Errorf("%s of %s is that of %s", f.name, path, other)
			}
			in[string(f.data)] = path
		}
	}
}
