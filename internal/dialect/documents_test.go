package dialect

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace/millrace/jsonata"
)

func TestRS256(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	for name, secret := range map[string]string{"lines": text, "escaped": strings.ReplaceAll(text, "\n", `\n`)} {
		data := jsonata.NewObject(1)
		data.Set("key", secret)
		v, err := evaluate(t, `$sign("payload", "rs256", key, "base64-urlSafe")`, data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, _ := v.(string)
		signature, err := base64.RawURLEncoding.DecodeString(got)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sum := sha256.Sum256([]byte("payload"))
		if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
			t.Errorf("%s: the signature does not verify: %v", name, err)
		}
	}
}

// evaluate evaluates an expression. Steps and bytes must stop it, whatever time it takes on a machine that is busy.
func evaluate(t *testing.T, src string, data jsonata.Value) (jsonata.Value, error) {
	t.Helper()
	program, err := Library().Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	return program.Eval(t.Context(), jsonata.Input{Data: data, Limits: jsonata.Limits{Timeout: time.Minute}})
}

func TestMissingFunctionsSaySo(t *testing.T) {
	t.Parallel()
	for _, f := range heavyFunctions() {
		_, err := evaluate(t, "$"+f.Name+"(1)", nil)
		var e *jsonata.Error
		if !errors.As(err, &e) || e.Code != CodeUnsupported || !strings.Contains(e.Message, "$"+f.Name) {
			t.Errorf("$%s: got error %v, want %s with the name", f.Name, err, CodeUnsupported)
		}
	}
}

// TestHostileDocuments asks for results that are much larger than the question. Each must end with an error, and soon.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"indentation of xml":     `$jsToXml({"a":{"b":1}}, {"compact":true,"spaces":4000000000})`,
		"indentation by text":    `($s := $pad("", 100000, "x"); $jsToXml({"a":[1..1000].{"b":{"c":1}}}, {"compact":true,"spaces":$s}))`,
		"overlapping chunks":     `$recursiveCharacterTextSplitter($pad("", 300000, "x"), {"chunkSize":100000,"chunkOverlap":99999})`,
		"long keys of sql":       `($k := $pad("", 100000, "k"); $convertQueryToSql({"a":{"in":[1..10000]}}, [], {"a":$k}, {}, {}, {"useOrForIn":true}))`,
		"long date format":       `$dtFromFormat("x", $pad("", 100000, "LLLL "))`,
		"long output format":     `($f := $pad("", 4000000, "FFFF "); $dtFromIso("2024-01-01").toFormat($f))`,
		"deep xml":               `$xmlToJs($pad("", 300000, "<a>"))`,
		"many separators":        `$recursiveCharacterTextSplitter($pad("", 200000, "x"), {"chunkSize":5,"chunkOverlap":1,"separators":[1..100000].($string($))})`,
		"csv of many fields":     `$jsonToCsv([1..5000].{"a":1}, {"fields":[1..5000].($string($)), "includeEmptyRows":true})`,
		"shared array digested":  `($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $v := $f(["x"], 60); $digest($v))`,
		"shared array in a file": `($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $v := $f(["x"], 60); $blob([$v]).size)`,
		"shared array in csv":    `($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $v := $f(["x"], 60); $jsonToCsv([{"a":$v}]))`,
		"shared array in xml":    `($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $v := $f(["x"], 60); $jsToXml({"a":$v}))`,
		"shared array in sql":    `($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $v := $f(["x"], 60); $convertQueryToSql({"a":$v}))`,
		"shared array split":     `($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $v := $f(["x"], 60); $recursiveCharacterTextSplitter($v))`,
		"shared array as money":  `($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $v := $f(["x"], 60); $convertCurrencyToSubunit($v,"USD"))`,
		"shared array as date":   `($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $v := $f(["x"], 60); $dtFromIso($v))`,
		"shared array as zone":   `($f := function($s, $n) { $n = 0 ? $s : $f([$s, $s], $n - 1) }; $v := $f(["x"], 60); $dtFromIso("2024-01-01").setZone($v))`,
		"long text many times":   `($s := $pad("", 1000000, "x"); $digest([1..1000].$s))`,
		"negative chunk overlap": `$recursiveCharacterTextSplitter("aaa bbb ccc", {"chunkSize":3,"chunkOverlap":-5})`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := evaluate(t, src, nil)
			var e *jsonata.Error
			if !errors.As(err, &e) || e.Code == jsonata.CodeTimeout {
				t.Errorf("got %.80v, error %v, want an error before the time is over", v, err)
			}
		})
	}
}
