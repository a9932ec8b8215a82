package dialect

import (
	"github.com/millrace/millrace/internal/dialect/js"
	"github.com/millrace/millrace/jsonata"
)

// heavyFunctions exist so that an expression that calls one says what is missing, instead of that there is no such function. They need a
// document service, an account with a provider, or writers of formats that no workflow needs.
func heavyFunctions() []jsonata.Func {
	names := Unavailable()
	functions := make([]jsonata.Func, len(names))
	for i, name := range names {
		functions[i] = jsonata.Func{Name: name, Params: 1, Call: func(*jsonata.Call) (jsonata.Value, error) {
			return nil, js.UnsupportedError("the function $%s is not available in this server", name)
		}}
	}
	return functions
}

// Unavailable returns the names of the functions of the dialect that this server does not have.
func Unavailable() []string {
	return []string{
		"convertMarkdownToHtml", "convertHtmlToMarkdown", "convertMarkdownToAdf", "convertMarkdownToSlack", "convertMarkdownToNotion",
		"convertMarkdownToGoogleDocs", "convertNotionToMd", "convertNotionToMarkdown", "jsonToParquet", "convertMdToPdf", "parseDocument",
		"generateEmbeddingsCohere",
	}
}
