package checkpoint

import (
	"encoding/base64"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

// fileMember marks a file in a checkpoint, where it is base64.
const fileMember = "\u0000file"

// keepFile is a file in a checkpoint.
func keepFile(h jsonata.Host) jsonata.Value {
	file, ok := h.(*expr.File)
	if !ok {
		return h.JSON()
	}
	out := jsonata.NewObject(3)
	out.Set(fileMember, base64.StdEncoding.EncodeToString(file.Data))
	out.Set("name", file.Name)
	out.Set("content_type", file.ContentType)
	return out
}

// restoreFiles brings back the files of values that were read from a checkpoint.
func restoreFiles(v jsonata.Value) jsonata.Value {
	switch v := v.(type) {
	case *jsonata.Array:
		items := make([]jsonata.Value, v.Len())
		for i := range items {
			items[i] = restoreFiles(v.At(i))
		}
		return jsonata.NewArray(items...)
	case *jsonata.Object:
		if text, ok := expr.Member(v, fileMember).(string); ok {
			if data, err := base64.StdEncoding.DecodeString(text); err == nil {
				name, _ := expr.Member(v, "name").(string)
				kind, _ := expr.Member(v, "content_type").(string)
				return &expr.File{Data: data, Name: name, ContentType: kind}
			}
		}
		out := jsonata.NewObject(v.Len())
		for key, member := range v.All() {
			out.Set(key, restoreFiles(member))
		}
		return out
	}
	return v
}
