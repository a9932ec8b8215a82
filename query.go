package millrace

// MaxLimit is both the default and the largest page size of a list.
const MaxLimit = 5000

// MaxPageBytes is how much the rows of one page of a list may take together. A page ends early, with a cursor, before the
// row that would be too much; a row that is larger than this by itself is a page of its own.
const MaxPageBytes = 4 << 20

// Operator compares a field with values in a list's filter.
type Operator string

// The operators of list filters.
const (
	OpEq   Operator = "eq"
	OpNe   Operator = "ne"
	OpGt   Operator = "gt"
	OpGte  Operator = "gte"
	OpLt   Operator = "lt"
	OpLte  Operator = "lte"
	OpIn   Operator = "in"
	OpNin  Operator = "nin"
	OpLike Operator = "like" // SQL pattern with % and _, letters of either case
)

// Filter keeps the rows whose field compares with the values. Only in and nin take several.
type Filter struct {
	Field  string // wire name, dotted for a member, e.g. integration.name
	Op     Operator
	Values []string
}

// Sort orders a list by a field.
type Sort struct {
	Field string
	Desc  bool
}

// Query selects one page of a list. The zero value is the first page of everything, newest first.
type Query struct {
	Filters []Filter
	Sort    []Sort
	Limit   int    // 0: MaxLimit
	Cursor  string // opaque, of the page before; empty: first page

	MaxBytes int // of the rows; a larger row comes alone; 0: any number
}

// Page is one page of a list.
type Page[T any] struct {
	Result     []T     `json:"result"`
	NextCursor *string `json:"next_cursor"` // null on the last page
	Limit      int     `json:"limit"`
}
