package millrace

import (
	"slices"
	"strings"
)

// UserID is the id of a [User].
type UserID string

// Role says what a user of the dashboard may do.
type Role string

// The roles, from the one that may do everything.
const (
	RoleOwner  Role = "owner"  // everything, and who is owner
	RoleAdmin  Role = "admin"  // people, but not owners
	RoleMember Role = "member" // everything in the environments
	RoleViewer Role = "viewer" // to look
)

// Roles returns the roles, the most powerful first.
func Roles() []Role { return []Role{RoleOwner, RoleAdmin, RoleMember, RoleViewer} }

// AtLeast reports whether a role may do everything that another one may.
func (r Role) AtLeast(other Role) bool {
	own, needed := slices.Index(Roles(), r), slices.Index(Roles(), other)
	return own >= 0 && own <= needed
}

// User is a person who may use the dashboard. It belongs to the installation.
type User struct {
	ID           UserID
	Email        string // as it was typed; a user is found by [EmailKey] of it
	EmailKey     string
	Name         string
	Role         Role
	SeesPayloads bool   // of events, requests and deliveries
	PasswordHash string // argon2id; empty: there is none
	// Who the user is at the identity provider that signs them in, whatever the address becomes; empty: none does.
	Issuer, Subject string

	Failures    int64 // wrong passwords since the last right one
	LockedUntil Time  // no password is tried before
	DisabledAt  Time  // 0: it is not
	SignedInAt  Time  // last; 0: never
	TouredAt    Time  // when they had enough of the tour of what happened first; 0: not yet

	CreatedAt, UpdatedAt Time
}

// EmailKey is what the address of a user is compared by.
func EmailKey(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// UserSession is a browser that a user has signed in with.
type UserSession struct {
	ID        string // SHA-256 of what the browser has
	UserID    UserID
	Agent     string // what the browser calls itself
	ExpiresAt Time
	SeenAt    Time // to the hour
	CreatedAt Time
}

// SignInLink lets a user sign in once without a password.
type SignInLink struct {
	ID        string // SHA-256 of what the link has
	UserID    UserID
	ExpiresAt Time
	UsedAt    Time
	CreatedAt Time
}
