//go:build race

package millracetest

const underRaceDetector = true
