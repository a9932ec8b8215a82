package scenario_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/millrace/millrace/internal/millracetest"
	"github.com/millrace/millrace/internal/millracetest/scenario"
)

func TestMain(m *testing.M) {
	code := m.Run()
	millracetest.EndShared()
	os.Exit(code)
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, file := range scenario.Files(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			scenario.Run(t, file)
		})
	}
}
