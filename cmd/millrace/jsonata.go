package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"github.com/millrace/millrace/internal/expr"
	"github.com/millrace/millrace/jsonata"
)

type jsonataCmd struct {
	Eval  jsonataEvalCmd  `cmd:"" help:"Evaluate an expression and print its result as JSON."`
	Check jsonataCheckCmd `cmd:"" help:"Check an expression and print what it reads and uses."`
	Test  jsonataTestCmd  `cmd:"" help:"Run files with expected results."`
}

// dialectFlag chooses the functions that expressions have.
type dialectFlag struct {
	Dialect string `help:"Functions: truto (what the server has) or standard (plain JSONata)." enum:"truto,standard" default:"truto"`
}

func (f dialectFlag) library() *jsonata.Library {
	if f.Dialect == "standard" {
		return jsonata.Standard()
	}
	return expr.Dialect()
}

type jsonataEvalCmd struct {
	dialectFlag
	Expression string `arg:"" help:"The expression."`
	Input      string `help:"File with the input document; - is the standard input. Without it the input is undefined." placeholder:"FILE"`
	Bindings   string `help:"File with an object whose members become variables." placeholder:"FILE"`
}

// Run prints the result. An undefined result prints nothing: JSON has none.
func (c *jsonataEvalCmd) Run(ctx context.Context, s *streams) error {
	in := jsonata.Input{Limits: expr.LimitsTransform()}
	var err error
	if in.Data, err = readDocument(s, c.Input); err != nil {
		return fmt.Errorf("--input: %w", err)
	}
	bindings, err := readDocument(s, c.Bindings)
	if err != nil {
		return fmt.Errorf("--bindings: %w", err)
	}
	if in.Bindings, err = variables(bindings); err != nil {
		return fmt.Errorf("--bindings %s: %w", c.Bindings, err)
	}
	program, err := c.library().Compile(c.Expression)
	if err != nil {
		return explain(s, c.Expression, err)
	}
	v, err := program.Eval(ctx, in)
	if err != nil {
		return explain(s, c.Expression, err)
	}
	text, err := jsonata.ToJSON(v)
	if err != nil {
		return explain(s, c.Expression, err)
	}
	if text == nil {
		_, err = fmt.Fprintln(s.err, "undefined")
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s\n", text)
	return err
}

// readDocument reads a JSON file; no name is an undefined document.
func readDocument(s *streams, name string) (jsonata.Value, error) {
	const most = 256 << 20
	switch name {
	case "":
		return nil, nil
	case "-":
		text, err := io.ReadAll(io.LimitReader(s.in, most))
		if err != nil {
			return nil, err
		}
		return jsonata.FromJSON(text)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	v, err := jsonata.FromJSON(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

func variables(v jsonata.Value) (map[string]jsonata.Value, error) {
	switch o := v.(type) {
	case nil, jsonata.Null:
		return nil, nil
	case *jsonata.Object:
		return maps.Collect(o.All()), nil
	}
	return nil, errors.New("is not an object")
}

// explain prints an error of an expression with its line and a caret.
func explain(s *streams, source string, err error) error {
	var e *jsonata.Error
	if !errors.As(err, &e) {
		return err
	}
	_, _ = fmt.Fprintf(s.err, "%s: %s\n%s\n", e.Code, e.Message, strings.TrimRight(e.Caret(source), "\n"))
	return exitError(1)
}

type jsonataCheckCmd struct {
	dialectFlag
	Expression string `arg:"" help:"The expression."`
}

// Run prints what the expression reads and uses; an expression that cannot be compiled prints where and why.
func (c *jsonataCheckCmd) Run(ctx context.Context, s *streams) error {
	program, err := c.library().Compile(c.Expression)
	if err != nil {
		return explain(s, c.Expression, err)
	}
	a := jsonata.Analyze(ctx, program)
	line := func(name string, values []string) {
		if len(values) > 0 {
			_, _ = fmt.Fprintf(s.out, "%-14s %s\n", name, strings.Join(values, ", "))
		}
	}
	var reads, functions, variables, gaps []string
	for _, r := range a.Reads {
		reads = append(reads, r.String())
	}
	for _, f := range a.Functions {
		functions = append(functions, "$"+f.Name)
	}
	for _, v := range a.Variables {
		variables = append(variables, "$"+v.Name)
	}
	for _, g := range a.Gaps {
		gaps = append(gaps, fmt.Sprintf("line %d, column %d: %s", g.Place.Line, g.Place.Column, g.Reason))
	}
	line("reads", reads)
	line("not knowable", gaps)
	if a.Incomplete != "" {
		line("not analysed", []string{"further: " + a.Incomplete})
	}
	line("functions", functions)
	line("needs", variables)
	line("yields", a.Result.Types)
	_, err = fmt.Fprintf(s.out, "%-14s %t\n", "deterministic", a.Deterministic)
	return err
}
