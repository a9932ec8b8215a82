// Package settings is the pages about what belongs to the installation: its environments, and the server with its health.
//
// What a form changes is a request to the API with the scope of an admin token, in the name of who is signed in; the role that it needs stands
// beside its route.
package settings
