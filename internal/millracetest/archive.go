package millracetest

import (
	"os"
	"strings"
)

// file is one file of an archive.
type file struct {
	name string
	data []byte
}

// readArchive reads a txtar archive: some lines of comment, then files, each after a line "-- name --". The format is so
// small that reading it here costs less than a dependency.
func readArchive(path string) ([]file, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var files []file
	for line := range strings.Lines(string(text)) {
		name, isMarker := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "-- ")
		if name, ended := strings.CutSuffix(name, " --"); isMarker && ended {
			files = append(files, file{name: strings.TrimSpace(name)})
			continue
		}
		if len(files) > 0 {
			last := &files[len(files)-1]
			last.data = append(last.data, line...)
		}
	}
	return files, nil
}
