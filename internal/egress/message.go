package egress

import (
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
)

// Message says what went wrong with an outbound request, for a tenant: it names neither addresses, ours or others', nor our
// DNS server, nor the URL.
func Message(err error) string {
	var (
		blocked *BlockedError
		dns     *net.DNSError
		op      *net.OpError
		outer   *url.Error
	)
	switch {
	case errors.As(err, &blocked):
		return blocked.Error()
	case errors.As(err, &dns):
		return "look up " + dns.Name + ": " + lookupFault(dns)
	case errors.As(err, &op):
		return operation(op) + ": " + innermost(op).Error()
	case errors.As(err, &outer):
		return Message(outer.Err)
	}
	return err.Error()
}

func lookupFault(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such host"
	case err.IsTimeout:
		return "no response in time"
	}
	return "the name cannot be resolved now"
}

// operation is what was done when the fault came.
func operation(err *net.OpError) string {
	switch {
	case strings.HasSuffix(err.Op, "error"): // crypto/tls: remote error, local error
		return "TLS"
	case err.Op == "dial":
		return "connect"
	}
	return err.Op
}

// innermost unwraps the errors that carry addresses.
func innermost(err error) error {
	for {
		var op *net.OpError
		var call *os.SyscallError
		switch {
		case errors.As(err, &op):
			err = op.Err
		case errors.As(err, &call):
			err = call.Err
		default:
			return err
		}
	}
}
