// Package xmljs turns XML into objects and back, in the two forms that the library xml-js has: the compact one, where elements
// are members, and the one that lists the elements in order.
package xmljs
