// Package dashboard is the web pages on which people see what happened and steer it. They are HTML made on the server, and work without
// scripts; a small module makes them live.
//
// What a page shows is read in one transaction. What a form does is a request to the API of the same process, made in the name of who
// is signed in: the dashboard can do nothing that the API cannot, and says what the API says.
//
// # Invariants
//
//   - Nobody sees anything without a session, and no form is taken from another site.
//   - Whatever is shown from outside is escaped by html/template; no page allows inline scripts or styles.
//   - Payloads are shown to those only who may see them.
package dashboard
