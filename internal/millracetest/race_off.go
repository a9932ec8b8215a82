//go:build !race

package millracetest

const underRaceDetector = false
