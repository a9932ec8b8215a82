// Package lodash has the functions of the dialect that come from the library of that name, and those that are built on what it
// knows: paths like a.b[0], short forms of what to do with each item, the order of values of different types.
package lodash
