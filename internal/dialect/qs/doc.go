// Package qs reads and writes query strings with nested parameters such as a[b][]=1, as the library of that name does.
package qs
