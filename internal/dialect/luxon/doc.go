// Package luxon makes the date-times, durations and intervals of expressions, with the semantics of Luxon 3.5, whose objects
// existing mappings are written against. To expressions they are objects with fields and methods.
//
// Names of languages and zones are facts of the Unicode CLDR; zones.txt and the package locale hold them.
package luxon
