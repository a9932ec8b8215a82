// Package browser walks the connect page in Chromium, as customers do: with the keyboard, on a narrow screen, in the dark, in a frame and in
// a window of the published browser SDK of Truto, and without scripts. In every state there is no error in the console, no report about
// the policy, and no finding of axe-core.
//
// It is a module of its own, so that nothing of the driver of the browser is linked into Millrace. make browser runs it.
package browser
