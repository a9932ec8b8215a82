// The program pocketbase is PocketBase as its authors publish it, built from the Go module proxy. It is a module of its
// own: nothing of it is linked into Millrace.
package main

import (
	"log"

	"github.com/pocketbase/pocketbase"
)

func main() {
	if err := pocketbase.New().Start(); err != nil {
		log.Fatal(err)
	}
}
