// Package editor is the part of the dashboard in which definitions are written: of workflows and of sync jobs, with what is wrong with
// them, what their condition comes to for past events, their versions, and what their runs are started with.
//
// It decides nothing itself. What is wrong with a text, and whether it may be saved, the API says, which is asked in the name of who is
// signed in; a check is the request that saves, without storing. All pages are forms that work without scripts: the module of the browser
// colours a copy of the text, and shows at its place what the server has said.
package editor
