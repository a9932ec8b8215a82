// Package proxy has the handlers of the routes that lead to providers: the proxy API and the custom API.
package proxy
