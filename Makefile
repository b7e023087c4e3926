# `make test` is everything that CI runs; it installs what it needs. The other targets are its parts.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
BIN := $(CURDIR)/.bin
OUT := $(CURDIR)/.out
FUZZTIME ?= 1m

.PHONY: test format vet lint test-go test-js test-ts test-java compatibility servers fuzz bench bench-go crosscheck clean setup-js chromium proxies

test: format vet lint test-go test-js test-ts test-java
	@scripts/compatibility.sh -check
	@scripts/count.sh $(OUT)

format: ## gofmt would change nothing
	@files=$$(git ls-files '*.go' | xargs gofmt -l); \
	if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi

vet: ## the code for Linux, and what must at least compile elsewhere
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...

$(BIN)/golangci-lint $(BIN)/gotestsum: tools/go.mod tools/go.sum
	@mkdir -p $(BIN)
	cd tools && $(GO) build -o $(BIN)/ tool
	@touch $(BIN)/golangci-lint $(BIN)/gotestsum

lint: $(BIN)/golangci-lint
	$(BIN)/golangci-lint run

test-go: $(BIN)/gotestsum chromium proxies ## all Go tests and fuzz seeds with the race detector, and once more without it for exact allocation counts
	@mkdir -p $(OUT)
	$(BIN)/gotestsum --format pkgname-and-test-fails --jsonfile $(OUT)/go-race.json -- -race -count=1 -timeout 15m ./...
	$(BIN)/gotestsum --format pkgname-and-test-fails --jsonfile $(OUT)/go.json -- -count=1 -timeout 15m ./...

setup-js: ## the official clients and the TypeScript compiler, by lock file
	@command -v node >/dev/null || { echo "make test needs Node.js 20 or later with npm: install it (Debian: apt-get install nodejs npm)"; exit 1; }
	@for folder in interop/js examples/typescript; do \
		( cd $$folder; cmp -s package-lock.json node_modules/.installed || { npm ci --no-audit --no-fund && cp package-lock.json node_modules/.installed; } ); \
	done

chromium: ## Debian's Chromium
	@scripts/chromium.sh

proxies: ## Debian's nginx, HAProxy and OpenSSL
	@scripts/proxies.sh

servers: ## what the official clients are tested against
	@mkdir -p $(OUT)
	$(GO) build -o $(OUT)/ ./cmd/spoked ./interop/probe

test-js: setup-js chromium proxies servers ## the official JavaScript clients in Node and in Chromium, and behind proxies
	cd interop/js && SPOKED=$(OUT)/spoked PROBE=$(OUT)/probe npm test 2>&1 | tee $(OUT)/js.txt

test-ts: setup-js ## the declarations of spokegen, judged by the TypeScript compiler, and a compiled client with its Go program
	@mkdir -p $(OUT)
	$(GO) build -o $(OUT)/typescript ./examples/typescript
	cd examples/typescript && EXAMPLE=$(OUT)/typescript npm test 2>&1 | tee $(OUT)/ts.txt

test-java: servers ## the official Java client
	@scripts/java.sh $(OUT)

compatibility: test-js test-java ## docs/compatibility.md, from what the official clients do now
	@scripts/compatibility.sh -write

fuzz: ## each fuzz target for FUZZTIME
	@scripts/fuzz.sh $(FUZZTIME)

bench: ## Spoke, its limit and its peers in turn on this machine: at most half an hour, writes benchmarks/RESULTS.md and the table in README.md
	$(GO) run ./benchmarks/compare $(BENCHFLAGS)

bench-go: ## the Go benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

crosscheck: ## what loadgen says against wrk and the server's counters
	@scripts/wrk.sh
	$(GO) run ./benchmarks/crosscheck -wrk="$$(command -v wrk || true)" $(CROSSCHECKFLAGS)

clean:
	rm -rf $(BIN) $(OUT) interop/js/node_modules interop/js/out interop/java/target examples/typescript/node_modules examples/typescript/out
