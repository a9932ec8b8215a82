package jsonata_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/millrace/millrace/jsonata"
)

func ExampleCompile() {
	program, err := jsonata.Compile(`$sum(items.(price * quantity))`)
	if err != nil {
		fmt.Println(err)
		return
	}
	data, err := jsonata.FromJSON([]byte(`{"items": [{"price": 2.5, "quantity": 4}, {"price": 1, "quantity": 3}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	total, err := program.Eval(context.Background(), jsonata.Input{Data: data})
	fmt.Println(total, err)
	// Output: 13 <nil>
}

func ExampleInput_json() {
	program, err := jsonata.Compile(`integration.name = "calcom"`)
	if err != nil {
		fmt.Println(err)
		return
	}
	yes, err := program.Eval(context.Background(), jsonata.Input{JSON: []byte(`{"id": 7, "integration": {"name": "calcom"}}`)})
	fmt.Println(yes, err)
	// Output: true <nil>
}

func ExampleNewLibrary() {
	lib, err := jsonata.NewLibrary(jsonata.Standard(), jsonata.Func{
		Name: "shout", Signature: "<s-n?:s>", Params: 2,
		Call: func(c *jsonata.Call) (jsonata.Value, error) {
			text, ok := c.Arg(0).(string)
			if !ok {
				return nil, nil // of undefined: no signature keeps it out
			}
			times, ok := c.Arg(1).(float64)
			if !ok {
				times = 1
			}
			marks := int(max(0, min(times, 1e9)))
			if err := c.Grow(len(text) + marks); err != nil {
				return nil, err
			}
			return strings.ToUpper(text) + strings.Repeat("!", marks), nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	program, err := lib.Compile(`[names.$shout(3), $shout(missing), $shout("hm", -1)]`)
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := program.Eval(context.Background(), jsonata.Input{JSON: []byte(`{"names": ["ada", "grace"]}`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := jsonata.ToJSON(v)
	fmt.Println(string(out), err)
	// Output: ["ADA!!!","GRACE!!!","HM"] <nil>
}

func ExampleError() {
	_, err := jsonata.Compile("{\n  \"total\": price * ,\n}")
	if e, ok := errors.AsType[*jsonata.Error](err); ok {
		fmt.Println(e.Code, e.Line, e.Column)
		fmt.Printf("%+v\n", e)
	}
	// Output:
	// S0211 2 20
	// S0211: , needs an operand on its left (line 2, column 20)
	//   "total": price * ,
	//                    ^
}

func ExampleAnalyze() {
	program, err := jsonata.Compile(`($i := integration; {"name": $i.name, "id": account_id})`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, read := range jsonata.Analyze(context.Background(), program).Reads {
		fmt.Println(read, read.Place.Column)
	}
	// Output:
	// account_id 45
	// integration.name 8
}
