// Command jsonata measures this module's JSONata evaluator against the reference
// implementation: npm jsonata 2.2.2 on node, which it installs in a temporary
// directory.
//
//	go run ./bench/jsonata
//
// Both sides report CPU time, not wall time, so that other work on the machine
// does not decide the result.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/millrace/millrace/jsonata"
)

//go:embed node.cjs
var nodeScript []byte

// workload is one expression with its document.
type workload struct {
	Name string          `json:"name"`
	Expr string          `json:"expr"`
	Data json.RawMessage `json:"data"`
	Raw  bool            `json:"raw"` // start from the text of the document
}

// timing is nanoseconds of CPU time for one operation.
type timing struct {
	Compile float64 `json:"compile"`
	Eval    float64 `json:"eval"`
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "jsonata-bench")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	loads := workloads()
	node, err := measureNode(ctx, dir, loads)
	if err != nil {
		return err
	}
	fmt.Printf("%-16s %14s %14s %8s %14s %14s %8s\n", "CPU ns/op", "compile node", "compile go", "ratio", "eval node", "eval go", "ratio")
	for i, w := range loads {
		t, err := measureGo(ctx, w)
		if err != nil {
			return fmt.Errorf("measure %s: %w", w.Name, err)
		}
		n := node[i]
		fmt.Printf("%-16s %14.0f %14.0f %7.1fx %14.0f %14.0f %7.1fx\n", w.Name,
			n.Compile, t.Compile, n.Compile/t.Compile, n.Eval, t.Eval, n.Eval/t.Eval)
	}
	return nil
}

func workloads() []workload {
	account := json.RawMessage(`{
  "id": "8a3f2c54-0d1e-4b7a-9c66-2f1d5e8b7a90",
  "tenant_id": "acme-4711",
  "environment_id": "3a2b9f70-6f0c-4c4e-8f3d-1d2c3b4a5968",
  "environment_integration_id": "c0ffee00-1234-4abc-9def-0123456789ab",
  "status": "active",
  "is_sandbox": false,
  "authentication_method": "oauth2",
  "context": {"workspace": "acme", "region": "eu-1", "scopes": ["read", "write", "admin"], "expires_at": "2026-01-31T12:00:00.000Z"},
  "integration": {"id": "1b7e4b1a-52a4-4c9c-8f73-6f0f5f7f2a11", "name": "calcom", "label": "Cal.com", "category": "calendar",
    "logo": "https://cdn.example.com/logos/calcom.png", "version": 3, "is_beta": false},
  "environment_integration": {"id": "c0ffee00-1234-4abc-9def-0123456789ab", "show_in_catalog": true, "is_enabled": true},
  "integrated_account_id": "8a3f2c54-0d1e-4b7a-9c66-2f1d5e8b7a90",
  "event": "integrated_account:active",
  "created_at": "2025-11-02T09:30:00.000Z",
  "updated_at": "2025-11-03T10:45:12.345Z"
}`)
	const record = `{"id":"rec_1","first_name":"Ada","last_name":"Lovelace","emails":[{"address":"a@example.com","primary":false},
{"address":"b@example.com","primary":true}],"address":{"city":"London","zip":"N1"},"price":12.5,"quantity":3,"status":"active","tags":["x","y"],"created":1762072200000}`
	records := json.RawMessage(`{"records":[` + strings.Repeat(record+",", 99) + record + `]}`)
	const text = "the quick brown fox jumps over the lazy dog and an error or a warning came up at 12:30, user alice@example.com said. "
	texts := json.RawMessage(`{"long":"` + strings.Repeat(text, 400) + `","texts":[` + strings.Repeat(`"`+text+`",`, 99) + `"` + text + `"]}`)
	const numbers = `{"n":[1.5,-20.25,1234.567,0,98765.4321,1e6,-0.5,42,1000,3.14159]}`
	var list strings.Builder
	list.WriteString(`"0"`)
	for i := 1; i < 16_000; i++ {
		list.WriteString(`,"` + strconv.Itoa(i) + `"`)
	}
	return append(languageWorkloads(account, records), []workload{
		{Name: "match, short", Expr: `texts.$match($, /quick|lazy|error|warning/).match`, Data: texts},
		{Name: "match, long", Expr: `$count($match(long, /error|warning|fatal/))`, Data: texts},
		{Name: "match, groups", Expr: `$count($match(long, /(\w+)@(\w+)\.(com|org|net)/))`, Data: texts},
		{Name: "contains, long", Expr: `$contains(long, /zebra|yak/)`, Data: texts},
		{Name: "replace", Expr: `texts.$replace($, /o(\w)/, "0$1")`, Data: texts},
		{Name: "formatNumber", Expr: `n.$formatNumber($, "#,##0.00")`, Data: json.RawMessage(numbers)},
		{Name: "base64encode", Expr: `texts.$base64encode($)`, Data: texts},
		{Name: "base64, 47 kB", Expr: `$base64encode(long)`, Data: texts},
		{Name: "power", Expr: `n.$power($, 3)`, Data: json.RawMessage(numbers)},
		{Name: "fold, append", Expr: `$count($reduce([1..2000], function($a, $i){$append($a, $i)}, []))`, Data: account},
		{Name: "fold, merge", Expr: `$count($keys($reduce([1..600], function($a, $i){$merge([$a, {"k" & $i: $i}])}, {})))`, Data: account},
		{Name: "fold, text", Expr: `$length($reduce([1..5000], function($a, $i){$a & "item " & $i}, ""))`, Data: account},
		{Name: "predecessors", Expr: `($a := [1..700]; $map($a, function($v, $i){$a[$i - 1]}))`, Data: account},
		{Name: "in 16,000", Expr: `"15999" in l`, Data: json.RawMessage(`{"l":[` + list.String() + `]}`)},
		{Name: "in 16,000, 200 x", Expr: `($l := l; $count($filter([1..200].$string(), function($x){$x in $l})))`, Data: json.RawMessage(`{"l":[` + list.String() + `]}`)},
	}...)
}

func languageWorkloads(account, records json.RawMessage) []workload {
	return []workload{
		{Name: "run_if", Expr: `integration.name = 'calcom'`, Data: account},
		{Name: "run_if of JSON", Expr: `integration.name = 'calcom'`, Data: account, Raw: true},
		{Name: "step config", Expr: `($job := $lookup({"calcom": "51b7e1a2"}, integration.name); {"sync_job_id": $job,
"integrated_account_id": integrated_account_id, "webhook_id": "9fda2c1b"})`, Data: account},
		{Name: "100 records", Expr: `records.{"id": id, "name": $join([first_name, last_name], " "), "email": emails[primary].address,
"city": address.city, "total": price * quantity, "active": status = "active", "tags": tags, "created_at": $fromMillis(created)}`, Data: records},
		{Name: "group and sum", Expr: `records{status: $sum($.(price * quantity))}`, Data: records},
		{Name: "order by", Expr: `records^(>price, id).id`, Data: records},
		{Name: "lambda", Expr: `$sum($map([1..100], function($x){$x * $x}))`, Data: account},
		{Name: "filter", Expr: `records[price > 10 and $contains(status, /act/)].id`, Data: records},
	}
}

// measureNode runs the workloads on node.
func measureNode(ctx context.Context, dir string, loads []workload) ([]timing, error) {
	install := exec.CommandContext(ctx, "npm", "install", "--prefix", dir, "--silent", "--no-audit", "--no-fund", "jsonata@2.2.2")
	install.Stderr = os.Stderr
	if err := install.Run(); err != nil {
		return nil, fmt.Errorf("install npm jsonata: %w", err)
	}
	script := filepath.Join(dir, "bench.cjs")
	if err := os.WriteFile(script, nodeScript, 0o600); err != nil {
		return nil, fmt.Errorf("write the script: %w", err)
	}
	input, err := json.Marshal(loads)
	if err != nil {
		return nil, fmt.Errorf("encode the workloads: %w", err)
	}
	node := exec.CommandContext(ctx, "node", script)
	node.Stdin, node.Stderr = strings.NewReader(string(input)), os.Stderr
	out, err := node.Output()
	if err != nil {
		return nil, fmt.Errorf("run node: %w", err)
	}
	var timings []timing
	if err := json.Unmarshal(out, &timings); err != nil {
		return nil, fmt.Errorf("read the output of node: %w", err)
	}
	return timings, nil
}

func measureGo(ctx context.Context, w workload) (timing, error) {
	program, err := jsonata.Compile(w.Expr)
	if err != nil {
		return timing{}, err
	}
	data, err := jsonata.FromJSON(w.Data)
	if err != nil {
		return timing{}, err
	}
	var t timing
	t.Compile, err = perOp(func() error {
		_, err := jsonata.Compile(w.Expr)
		return err
	})
	if err != nil {
		return timing{}, err
	}
	in := jsonata.Input{Data: data}
	if w.Raw {
		in = jsonata.Input{JSON: w.Data}
	}
	t.Eval, err = perOp(func() error {
		_, err := program.Eval(ctx, in)
		return err
	})
	return t, err
}

// perOp returns the CPU time of an operation in nanoseconds, the best of several
// rounds.
func perOp(op func() error) (float64, error) {
	best := 0.0
	for round := range 5 {
		n, start := 0, cpuTime()
		for cpuTime()-start < 200*time.Millisecond {
			for range 100 {
				if err := op(); err != nil {
					return 0, err
				}
			}
			n += 100
		}
		if ns := float64(cpuTime()-start) / float64(n); round == 0 || ns < best {
			best = ns
		}
	}
	return best, nil
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
