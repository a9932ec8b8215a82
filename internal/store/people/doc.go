// Package people keeps the rows of the people who may use the dashboard: users, their sessions, and the links with which they sign
// in. What a browser or a link has is stored as its hash only.
package people
