package secret

import "net/url"

// MaskURL shows of an address where it is, and hides the path, which lets anyone write to a channel. Of a text that is no address it shows
// nothing.
func MaskURL(address string) string {
	u, err := url.Parse(address)
	if address == "" || err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/..."
}
