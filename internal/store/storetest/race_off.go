//go:build !race

package storetest

// RaceDetector says whether this program was built with it, which makes a server many times as slow.
const RaceDetector = false
