// Package page is the six ways in which APIs give lists page by page. All look the same from outside: a limit goes in, an
// opaque cursor comes out, and the cursor alone says how to go on.
//
// A [Pager] is one of them as a config describes it. It prepares the request of a page and reads in the response where the list
// goes on. Cursors are deterministic; one with a secret in it is sealed; a link must stay on the host that was asked.
//
// A new format is a file here, a case in [Parse] and a line in docs.
package page
