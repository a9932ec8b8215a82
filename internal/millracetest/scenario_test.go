package millracetest_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, file := range millracetest.Scenarios(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			storetest.EachURL(t, func(t *testing.T, url string) { millracetest.RunScenario(t, file, url) })
		})
	}
}
