package js

import (
	"math"
	"reflect"

	"github.com/millrace/millrace/jsonata"
)

// nan stands for NaN in identities, since NaN does not equal itself.
type nan struct{}

// Identity returns what a value is the same as: equal numbers (all NaN are one, and so are both zeros), texts and
// booleans, but only the very same array or object. The result is comparable.
func Identity(v jsonata.Value) any {
	switch v := v.(type) {
	case float64:
		switch {
		case math.IsNaN(v):
			return nan{}
		case v == 0:
			return 0.0
		}
	case jsonata.Host:
		if !comparableHost(v) {
			return new(byte)
		}
	}
	return v
}

// Same reports whether two values have the same identity.
func Same(a, b jsonata.Value) bool { return Identity(a) == Identity(b) }

// comparableHost reports whether Go can compare a host object with ==; one that it cannot is the same as nothing.
func comparableHost(h jsonata.Host) bool { return reflect.ValueOf(h).Comparable() }
