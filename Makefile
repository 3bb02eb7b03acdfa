# Everything a developer or the CI calls. `make test` is the whole gate; `make quickstart` shows the tool at work.

GO      ?= go
PYTHON  ?= python3
# Without FTS5 SQLite calls a database with a damaged full-text index healthy: every build has the tag.
TAGS    := sqlite_fts5
# go-sqlite3 is C: cgo is needed, and a C compiler with it.
export CGO_ENABLED := 1

GOFUMPT     := $(GO) run mvdan.cc/gofumpt@v0.12.0
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The version is what git says, and "dev" in a source tree without git.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X main.version=$(VERSION)

# Modules below the root (a plugin example, say) are tested with their own go.mod.
NESTED := $(patsubst %/go.mod,%,$(shell find . -mindepth 2 -name go.mod -not -path './.*' -not -path '*/testdata/*' | sort))
# What holds Go code, by place and not by git, so that a source archive can be checked too.
GODIRS := $(wildcard cmd core plugins targets examples)

.DEFAULT_GOAL := build
.NOTPARALLEL: # the order of what `test` needs is the order of its log
.PHONY: build quickstart test test-go test-rescue test-nested test-readme lint generate check-generated fuzz-smoke soak bench

build:
	$(GO) build -tags $(TAGS) -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/holdfast ./cmd/holdfast

quickstart: build
	HOLDFAST=$(CURDIR)/bin/holdfast GO='$(GO)' ./examples/quickstart/run.sh

# The last lines are those of `go test` itself, so that a reader of a log finds the verdict at its end.
test: lint check-generated test-rescue test-nested quickstart test-readme test-go

test-go:
	$(GO) test -race -timeout 30m -tags $(TAGS) ./...

test-nested:
	@set -e; for m in $(NESTED); do echo "module $$m"; (cd $$m && $(GO) vet ./... && $(GO) test -race ./...); done

# The independent reader: Python's standard library and the zstd program, no holdfast.
test-rescue:
	@if [ -d examples/rescue ]; then $(PYTHON) -m unittest discover -s examples/rescue -p '*test*.py'; fi

# The commands of the README that are marked as shell, as a reader would type them.
test-readme: build
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	tour=$$(awk '/^```/{code=/^```sh/; next} code' README.md); \
	TMPDIR="$$tmp" bash -euxo pipefail -c "$$tour" </dev/null

lint:
	@out=$$($(GOFUMPT) -l $(GODIRS)) || exit 1; \
	if [ -n "$$out" ]; then echo "not formatted (run gofumpt -w):"; echo "$$out"; exit 1; fi
	$(GO) vet -tags $(TAGS) ./...
	$(STATICCHECK) -tags $(TAGS) ./...

generate:
	$(GO) generate -tags $(TAGS) ./...

# Generates in a copy, and fails when the copy differs: generated code in the tree is what its source says.
check-generated:
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	mkdir "$$tmp/a" "$$tmp/b"; \
	tar -cf - $(GODIRS) go.mod go.sum | tee "$$tmp/tree.tar" | tar -xf - -C "$$tmp/a"; \
	tar -xf "$$tmp/tree.tar" -C "$$tmp/b"; \
	(cd "$$tmp/b" && $(GO) generate -tags $(TAGS) ./...); \
	diff -ru "$$tmp/a" "$$tmp/b" || { echo "generated code is stale: run make generate and commit"; exit 1; }

# Ten seconds for every fuzz target; the committed seeds run with every `go test` anyway.
fuzz-smoke:
	@set -e; for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' $(GODIRS)); do \
	  for t in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' $$f); do \
	    echo "$$t in $$(dirname $$f)"; \
	    $(GO) test -tags $(TAGS) -run '^$$' -fuzz "^$$t\$$" -fuzztime 10s ./$$(dirname $$f); done; done

# The random tests for long: SOAK is how long each goes on, or a number of schedules for the model of the ballot. Seeds
# are printed, and what fails prints the command that repeats it.
SOAK ?= 10m
soak:
	HOLDFAST_SOAK=$(SOAK) $(GO) test -tags $(TAGS) -timeout 0 -v -run 'Model|Ablations|Killed|Soak' ./core/ballottest ./core/restore/... ./cmd/holdfast

# BENCH_FLAGS='-size 100MiB' for a quick look.
bench: build
	$(GO) run -tags $(TAGS) ./examples/bench -holdfast bin/holdfast $(BENCH_FLAGS)
