// Package sign proves to providers who makes a request, where a token alone does not: signatures of OAuth 1.0a and of AWS, and JSON
// Web Tokens. It computes; it makes no request, reads no config and keeps nothing. No error of it has a part of a key in it.
package sign
