package rest

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/millrace/millrace"
	"github.com/millrace/millrace/internal/document"
)

const ownEnvironment millrace.EnvironmentID = "11111111-1111-4111-8111-111111111111"

func filter(field string, op millrace.Operator, values ...string) millrace.Filter {
	return millrace.Filter{Field: field, Op: op, Values: values}
}

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     millrace.Query
	}{
		{"nothing", "", millrace.Query{}},
		{"empty parameters", "&&limit=&next_cursor=&", millrace.Query{}},
		{"page", "limit=25&next_cursor=abc", millrace.Query{Limit: 25, Cursor: "abc"}},
		{"plain", "status=active&is_active=true", millrace.Query{Filters: []millrace.Filter{filter("status", millrace.OpEq, "active"), filter("is_active", millrace.OpEq, "true")}}},
		{"operators", "a[gt]=1&b[like]=x%25&c[ne]=", millrace.Query{Filters: []millrace.Filter{filter("a", millrace.OpGt, "1"), filter("b", millrace.OpLike, "x%"), filter("c", millrace.OpNe, "")}}},
		{"percent-encoded brackets", "id%5Bin%5D%5B0%5D=a&id%5Bin%5D%5B1%5D=b", millrace.Query{Filters: []millrace.Filter{filter("id", millrace.OpIn, "a", "b")}}},
		{"empty brackets", "type[in][]=lead&type[in][]=a,b", millrace.Query{Filters: []millrace.Filter{filter("type", millrace.OpIn, "lead", "a,b")}}},
		{"commas", "id[in]=a,b&id[nin]=c", millrace.Query{Filters: []millrace.Filter{filter("id", millrace.OpIn, "a", "b"), filter("id", millrace.OpNin, "c")}}},
		{"array without operator", "ids[]=1&ids[]=2", millrace.Query{Filters: []millrace.Filter{filter("ids", millrace.OpIn, "1", "2")}}},
		{"indexed array without operator", "ids[0]=1&ids[1]=2", millrace.Query{Filters: []millrace.Filter{filter("ids", millrace.OpIn, "1", "2")}}},
		{"repeated", "a=1&a=2&a=3", millrace.Query{Filters: []millrace.Filter{filter("a", millrace.OpIn, "1", "2", "3")}}},
		{"equal and in are two conditions", "a[in]=1,2&a=2", millrace.Query{Filters: []millrace.Filter{filter("a", millrace.OpIn, "1", "2"), filter("a", millrace.OpEq, "2")}}},
		{"dotted", "integration.name=calcom", millrace.Query{Filters: []millrace.Filter{filter("integration.name", millrace.OpEq, "calcom")}}},
		{"nested", "integration[name][like]=cal%25&features[super_query]=wnam", millrace.Query{Filters: []millrace.Filter{filter("integration.name", millrace.OpLike, "cal%"), filter("features.super_query", millrace.OpEq, "wnam")}}},
		{"range", "created_at[gte]=2025-01-01T00%3A00%3A00Z&created_at[lt]=2026-01-01T00:00:00%2B02:00", millrace.Query{Filters: []millrace.Filter{filter("created_at", millrace.OpGte, "2025-01-01T00:00:00Z"), filter("created_at", millrace.OpLt, "2026-01-01T00:00:00+02:00")}}},
		{"sort", "sort=-created_at,name", millrace.Query{Sort: []millrace.Sort{{Field: "created_at", Desc: true}, {Field: "name"}}}},
		{"sort_by", "sort_by[created_at]=DESC&sort_by[name]=asc&sort_by[integration][name]=asc", millrace.Query{Sort: []millrace.Sort{{Field: "created_at", Desc: true}, {Field: "name"}, {Field: "integration.name"}}}},
		{"expand is tolerated", "expand=integration", millrace.Query{}},
		{"own environment", "environment_id=" + string(ownEnvironment), millrace.Query{}},
		{"own environment in another case", "environment_id[in]=x," + "11111111-1111-4111-8111-111111111111", millrace.Query{}},
		{"environment sent empty", "environment_id=", millrace.Query{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseQuery(c.in, ownEnvironment)
			if err != nil {
				t.Fatalf("%q: %v", c.in, err)
			}
			if c.want.Limit == 0 {
				c.want.Limit = millrace.MaxLimit
			}
			if diff := cmp.Diff(ListQuery{Query: c.want}, got, cmp.AllowUnexported(ListQuery{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%q (-want +got)\n%s", c.in, diff)
			}
		})
	}
}

func TestQueryOfAnotherEnvironmentHasNoRows(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"environment_id=22222222-2222-4222-8222-222222222222", "environment_id[in][]=a", "environment_id[ne]=" + string(ownEnvironment),
		"environment_id[nin]=a," + string(ownEnvironment), "environment_id=a&environment_id[ne]=b",
	} {
		got, err := ParseQuery(in, ownEnvironment)
		if err != nil || !got.None {
			t.Errorf("%q: got %+v, %v, want no rows", in, got, err)
		}
	}
}

func TestParseQueryRejects(t *testing.T) {
	t.Parallel()
	for in, path := range map[string]string{
		"limit=0": "limit", "limit=5001": "limit", "limit=-1": "limit", "limit=ten": "limit", "limit=1e3": "limit",
		"sort_by=name": "sort_by", "sort_by[name]=up": "sort_by[name]", "a[gt=1": "a[gt", "a[gt]x=1": "a[gt]x", "[a]=1": "[a]",
		"a[b][c][d][e][f][g]=1": "a[b][c][d][e][f][g]", "a[gt][]=1": "a", "a[][b]=1": "a", "a=%zz": "a", "%zz=1": "%zz",
		"environment_id[like]=1": "environment_id", "a=%00": "a", "a=%ff": "a",
	} {
		_, err := ParseQuery(in, ownEnvironment)
		var known *millrace.Error
		if !errors.As(err, &known) || known.Kind != millrace.KindInvalid || len(known.Failures) != 1 || known.Failures[0].Path != path {
			t.Errorf("%q: got %+v, want one finding about %q", in, known, path)
		}
	}
	_, err := ParseQuery("limit=0&sort_by=x&a[gt=1", ownEnvironment)
	var known *millrace.Error
	if !errors.As(err, &known) || len(known.Failures) != 3 {
		t.Errorf("got %v, want all three findings", err)
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{
		"a=b", "id[in][0]=a&id[in][1]=b", "id%5Bin%5D%5B%5D=a", "sort_by[created_at]=desc", "limit=5&next_cursor=", "a[b][c]=d",
		"environment_id=x", "[", "]=", "a[[b]]=c", "sort=-a,b,-", "a=1&a=2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := ParseQuery(in, ownEnvironment)
		if err != nil {
			if millrace.KindOf(err) != millrace.KindInvalid {
				t.Fatalf("%q: error of kind %s", in, millrace.KindOf(err))
			}
			return
		}
		if got.Limit < 1 || got.Limit > millrace.MaxLimit || len(got.Filters) > maxFilters {
			t.Fatalf("%q: got %+v", in, got)
		}
		for _, f := range got.Filters {
			if f.Field == "" || f.Field == "environment_id" || len(f.Values) == 0 || !isOperator(string(f.Op)) {
				t.Fatalf("%q: got filter %+v", in, f)
			}
			if len(f.Values) > 1 && f.Op != millrace.OpIn && f.Op != millrace.OpNin {
				t.Fatalf("%q: %s has several values", in, f.Op)
			}
		}
	})
}

func TestColumnsOfAList(t *testing.T) {
	t.Parallel()
	got, err := ParseQuery("select=id,integration.name,%20,&limit=2", ownEnvironment)
	if diff := cmp.Diff([]string{"id", "integration.name"}, got.Columns); err != nil || diff != "" {
		t.Errorf("got %v (-want +got)\n%s", err, diff)
	}
	if _, err := ParseQuery("select="+strings.Repeat("a,", maxFilters+1), ownEnvironment); millrace.KindOf(err) != millrace.KindInvalid {
		t.Errorf("with too many columns: got %v", err)
	}
	row, err := document.ParseJSON([]byte(`{"id":12345678901234567890,"integration":{"name":"calcom","id":1},"list":[{"a":1}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for columns, want := range map[string]string{
		"id": `{"id":12345678901234567890}`, "integration.name,id": `{"integration":{"name":"calcom"},"id":12345678901234567890}`,
		"integration,integration.name": `{"integration":{"name":"calcom","id":1}}`, "none,id.x,list.a": `{}`,
	} {
		if got := string(columnsOf(row, strings.Split(columns, ",")).JSON()); got != want {
			t.Errorf("%s: got %s, want %s", columns, got, want)
		}
	}
}
