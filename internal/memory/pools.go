package memory

// Pools are the budgets of a server. The zero value has no bounds.
type Pools struct {
	Bodies    *Budget // request bodies while they come, of callers with a token
	Hooks     *Budget // the same of those without
	Parsing   *Budget // what bodies are while they are decoded and checked
	Responses *Budget // what is read for a response, until the client has taken it
	Pages     *Budget // responses of providers, decoded
}

// Default is the memory for all pools together when nothing else is set, and Least the least that can be set.
const (
	Default = 256 << 20
	Least   = 64 << 20
)

// Divide divides memory among the pools of a server.
func Divide(total int64) Pools {
	if total <= 0 {
		total = Default
	}
	part := total / 16
	return Pools{Bodies: New(2 * part), Hooks: New(part), Parsing: New(3 * part), Responses: New(3 * part), Pages: New(7 * part)}
}

// MaxDecoded returns how much a page of a provider may take once it is decoded, when its text may have most bytes.
func MaxDecoded(most int64) int64 { return 3 * most }
