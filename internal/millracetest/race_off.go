//go:build !race

package millracetest

// RaceDetector says whether this program was built with it, which makes a server many times as slow.
const RaceDetector = false
