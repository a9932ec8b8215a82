# make demo and make test need Go and make; make test also PostgreSQL, which it installs through apt when it is root,
# or takes from MILLRACE_TEST_POSTGRES=postgres://... .

GO     ?= go
# The packages whose tests take longest begin first, so that no processor waits for them at the end.
LONGEST = ./internal/millracetest ./internal/millracetest/scenario ./internal/httpapi
TOOL   = $(GO) tool -modfile=tools/go.mod

# One line for each target with a text; plain make prints them.
help: ## what each target does
	@sed -n 's/^\([a-z-]*\):[^#]*## */\1\t/p' Makefile | expand -t 17

.PHONY: browser openapi-lint typescript build demo test race vet lint fmt fmt-check generate crash runs faults chaos grants realserver hostile hostile-calls hostile-server differential fuzz bench pages-bench neighbour release release-check ci clean help

build: ## bin/millrace
	CGO_ENABLED=0 $(GO) build -o bin/millrace ./cmd/millrace

demo: build ## the whole path of the data, on this machine, checked
	./bin/millrace demo

test: ## all tests on SQLite and PostgreSQL, those with kills, faults and random runs in short: crash, runs, faults and chaos are the whole of them
	@# Most of those that run in parallel wait, so there may be more than processors.
	.ci/with-postgres $(GO) test -vet=off -ldflags=-w -parallel 8 -shuffle=on -timeout 20m $(LONGEST) ./...
	@.ci/vectors

# SQLite is C that was translated to Go. The detector looks at everything but that, which it makes ten times as slow.
NOT_SQLITE = -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc/...=-race=false
race: ## the same under the race detector, which needs a C compiler; properties are checked less often, since races do not hide from twenty rounds
	RAPID_CHECKS=20 .ci/with-postgres $(GO) test -race $(NOT_SQLITE) -vet=off -parallel 4 -shuffle=on -timeout 30m $(LONGEST) ./...

vet: ## go vet; make lint runs the same and more
	$(GO) vet ./...

fmt: ## format the code
	$(TOOL) gofumpt -w $$(git ls-files '*.go')

fmt-check: ## fail where the code is not formatted
	@bad=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "not gofumpt-clean:"; echo "$$bad"; exit 1; fi

lint: ## needs some minutes the first time: the linter is built from source
	$(TOOL) golangci-lint run ./...

openapi-lint: ## docs/openapi.json against the rules of Redocly and Stoplight, whose linters come from npm
	.ci/openapi

typescript: ## a TypeScript client that is generated from docs/openapi.json compiles and runs the main job; its packages come from npm
	.ci/typescript

browser: ## the connect page in Chromium, with the published SDK of Truto and axe-core; MILLRACE_SCREENSHOTS=DIR keeps pictures
	.ci/browser

generate: ## docs/openapi.json and other golden files
	$(GO) test ./internal/httpapi -run TestOpenAPI -update

crash: ## kill -9 at random points, restart, check that nothing is lost
	MILLRACE_CRASHES=50 .ci/with-postgres $(GO) test -run 'TestCrash|TestTwoNodes' -parallel 6 -v -count=1 -timeout 20m ./internal/millracetest

runs: ## 500 random sync job runs on each database, with faults and kills, against a model; and 1,000 after which nothing may be missing
	MILLRACE_RUNS=$(or $(RUNS),500) .ci/with-postgres $(GO) test -run TestRuns -v -count=1 -timeout 20m ./internal/millracetest
	MILLRACE_RUNS=$(or $(RUNS),500) .ci/with-postgres $(GO) test -run TestNoCursorPassesAFailure -v -count=1 -timeout 20m ./internal/syncjob

faults: ## 2,000 runs (RUNS on each of five databases) while the database fails: full disk, terminated sessions, reset connections, commits without a response
	MILLRACE_FAULTS=$(or $(RUNS),400) .ci/with-postgres $(GO) test -run TestFaults -parallel 2 -v -count=1 -timeout 40m ./internal/millracetest
	MILLRACE_FAULTS=$(or $(RUNS),400) .ci/with-postgres $(GO) test -run 'Faults' -v -count=1 -timeout 20m ./internal/syncjob ./internal/workflow

chaos: ## 100 webhooks, 30 of them sick in every way, 20,000 deliveries, kill -9, on each database
	MILLRACE_CHAOS=1 .ci/with-postgres $(GO) test -run TestChaos -v -count=1 -timeout 20m ./internal/millracetest

grants: ## 1,020 kills and cut connections inside of renewals of tokens, five minutes of tokens that last two seconds; the strictest provider comes from npm
	.ci/grants

realserver: ## sync from servers that others wrote and compare every record, on both databases
	.ci/realserver

hostile: ## hostile expressions against time and memory, which other tests beside them would multiply
	MILLRACE_HOSTILE=1 $(GO) test -p 1 -count=1 -run 'TestAttacks|TestHostile' -timeout 15m ./jsonata/...

hostile-calls: ## every function with large arguments, again and again, against its deadline; some minutes of a quiet machine
	MILLRACE_HOSTILE=1 $(GO) test -count=1 -run TestHostileCalls -timeout 30m ./internal/dialect

hostile-server: ## a whole server under attack, 64 at once, against memory and the time of /readyz; wants a quiet machine
	MILLRACE_HOSTILE=1 .ci/with-postgres $(GO) test -count=1 -run TestHostileServer -v -timeout 30m ./internal/millracetest

differential: ## COUNT random expressions (100,000) against npm jsonata, with every difference classified; SKIPPED, and says so, without node
	.ci/differential $(or $(COUNT),100000)

fuzz: ## every fuzz target for FUZZTIME
	.ci/fuzz $(or $(FUZZTIME),20s)

bench: ## ratios against floors on this machine
	MILLRACE_POSTGRES_DURABLE=1 .ci/with-postgres $(GO) run ./bench

pages-bench: ## pages of the dashboard with DELIVERIES (10,000,000) stored, beside a floor, and what 100 open pages cost; a quarter of an hour
	.ci/with-postgres $(GO) run ./bench/pages -deliveries $(or $(DELIVERIES),10000000)

neighbour: ## what a quiet environment feels of a hostile one, for each attack on each database; half an hour
	MILLRACE_POSTGRES_DURABLE=1 .ci/with-postgres $(GO) run ./bench -only neighbour -check 1

release: ## dist/: archives for Linux and macOS with checksums and bills of materials; VERSION=v1.2.3, else that of the tag
	$(GO) run ./internal/release -version "$(VERSION)" -out dist

release-check: ## build the release of HEAD twice, in two directories, and compare the bytes; TARGET=linux/amd64 for one system
	.ci/release-check $(TARGET)

ci: ## what CI runs
	.ci/run

clean: ## remove what was built
	rm -rf bin dist
