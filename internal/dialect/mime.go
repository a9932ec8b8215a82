package dialect

import (
	_ "embed" // carries the table of media types
	"strings"
	"sync"
)

// mimeTable has one media type a line, followed by its file name extensions.
//
//go:embed mime.txt
var mimeTable string

// mimeTypes returns the table as a map from extension to media type.
func mimeTypes() map[string]string {
	types := make(map[string]string)
	for line := range strings.Lines(mimeTable) {
		fields := strings.Fields(line)
		for _, extension := range fields[min(1, len(fields)):] {
			types[extension] = fields[0]
		}
	}
	return types
}

// mimeLookup returns a function that finds the media type of a file name or of a bare extension. A path whose
// last segment has no dot has no type, or "noext/file" would be looked up as if it were an extension.
func mimeLookup() func(name string) (string, bool) {
	table := sync.OnceValue(mimeTypes)
	return func(name string) (string, bool) {
		last := name[strings.LastIndexAny(name, `/\`)+1:]
		extension := last[strings.LastIndexByte(last, '.')+1:]
		if len(last) < len(name) && len(extension) >= len(last)-1 {
			return "", false
		}
		mime, ok := table()[strings.ToLower(extension)]
		return mime, ok
	}
}
