package expr

import "github.com/millrace/millrace/jsonata"

func parseJSON(s string) (jsonata.Value, error) { return jsonata.FromJSON([]byte(s)) }
