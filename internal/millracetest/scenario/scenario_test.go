package scenario_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/millracetest/scenario"
	"github.com/millrace/millrace/internal/store/storetest"
)

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, file := range scenario.Files(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			storetest.EachURL(t, func(t *testing.T, url string) { scenario.Run(t, file, url) })
		})
	}
}
