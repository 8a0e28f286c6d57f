# ortest. "make help" lists what there is to make.
#
# Go must be 1.21 or newer; it fetches the toolchain that go.mod names. Tools are
# pinned apart from the product: act.mod (act, which the demo runs), lint.mod
# (golangci-lint) and tools.mod (the rest). They cannot share one file: they need
# releases of one YAML library that exclude each other (decision 0002).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := $(CURDIR)/bin
export PATH := $(BIN):$(PATH):/usr/local/sbin:/usr/sbin:/sbin

# PACKAGE=PROOF for .ci/need: what the demo runs, what the tests need besides,
# and what the generators of checked-in files need.
DEMO_PACKAGES := git=git gcc=gcc libc6-dev=/usr/include/stdio.h make=make perl=prove valgrind=valgrind \
	nginx=nginx libnginx-mod-http-lua=/usr/lib/nginx/modules/ngx_http_lua_module.so ca-certificates=/etc/ssl/certs
TEST_PACKAGES := chromium=chromium dnsmasq-base=dnsmasq gdb=gdb lua-busted=busted postgresql=/usr/lib/postgresql
CHECK_PACKAGES := nodejs=node npm=npm

VERSION := $(shell git describe --tags --match 'v*' --always --dirty 2>/dev/null)
RELEASE := $(if $(VERSION),-X main.release=$(VERSION))

# How long the tests of one package may take, and each fuzz target runs.
TIMEOUT ?= 15m
FUZZTIME ?= 20s
# How many days make soak tries.
SEEDS ?= 10000
# How many lives of four weeks.
LIVES ?= 12
# Arguments of the demo, such as ARGS="--addr 127.0.0.1:8080 --variant fail".
ARGS ?=
PKG ?= ./...
# Tests of whole programs that the race detector sees too; all of them would take it ten minutes.
RACES = Replica|AServerWhose|Production|Live

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: demo-packages build ## install what is missing, build, and start the demo: a pull request to comment on (ARGS="…")
	bin/ortest demo $(ARGS)

.PHONY: test
test: test-packages build ## vet and all tests (PKG=./report for one package)
	go vet $(PKG)
	go test -timeout $(TIMEOUT) $(PKG)

.PHONY: check
check: test-packages check-packages build format vet lint workflows modules generated ## everything that CI checks: formats, linters, modules, generated files, tests under the race detector
	go test -race -short -shuffle=on -timeout $(TIMEOUT) $$(go list ./... | grep -v /cmd/)
	go test -race -short -run '$(RACES)' -timeout $(TIMEOUT) ./cmd/ortest

.PHONY: bench
bench: export OPSBOY := $(if $(OPSBOY),$(abspath $(OPSBOY)))
bench: export MIRROR := $(if $(MIRROR),$(abspath $(MIRROR)))
bench: test-packages build ## measure everything and write docs/benchmarks.md (PARTS="pack lanes" for some; OPSBOY=DIR and MIRROR=DIR for the old tools and real suites, OLD=FILE for an earlier bin/bench.txt; .ci/bench says more)
	.ci/bench $(PARTS)

.PHONY: pictures
pictures: test-packages build ## take the documents' pictures of the demo again
	go test -count 1 -tags pictures -run '^TestPictures$$' ./cmd/ortest

# An earlier version: the one before the newest migration of the database.
FROM ?= $(shell git log --reverse --format=%h^ -- $(lastword $(sort $(wildcard store/migrations/postgres/*.sql))) | head -1)

.PHONY: upgrade
upgrade: test-packages build ## kill replicas of an earlier version (FROM=COMMIT) one after the other under a flood of webhooks, and start this version in their place
	rm -rf bin/from && mkdir -p bin/from && git archive $(FROM) | tar -x -C bin/from
	cd bin/from && go test -c -o ../from.test ./cmd/ortest
	rm -rf bin/from
	ORTEST_OLD=$(BIN)/from.test go test -run '^$$' -bench '^BenchmarkRollingUpgrade$$' -benchtime 1x ./cmd/ortest

.PHONY: fuzz
fuzz: go ## fuzz each target for FUZZTIME (20s)
	.ci/fuzz $(FUZZTIME) $(PKG)

.PHONY: soak
soak: go ## bot, fleet, EC2 and GitHub with faults in virtual time: LIVES of four weeks (12), and single days, SEEDS of them (10000); and all stages of the demo's release
	ORTEST_LIVES=$(LIVES) go test -run 'TestWeeks' -count 1 -timeout 2h -v ./internal/days
	ORTEST_SEEDS=$(SEEDS) go test -run 'TestWholeDays' -count 1 -timeout 60m -v ./internal/days
	ORTEST_SEEDS=$(SEEDS) go test -run 'TestDemoRelease' -count 1 ./cmd/ortest

.PHONY: axe
axe: test-packages check-packages build bin/axe.min.js ## hold the report's pages against WCAG 2.2 AA in Chromium, light and dark
	go test -tags axe -run 'Accessible' ./cmd/ortest

.PHONY: examples
examples: test-packages check-packages build bin/webhooks-examples.json ## send the bot GitHub's own examples of every webhook
	go test -count 1 -v -run '^TestGitHubsExamples' ./cmd/ortest | grep -v level=

.PHONY: parser
parser: check-packages bin/parser/parse.mjs ## have GitHub's own parser read the workflow files that ortest writes
	go test -tags parser -run 'Parser' ./workflows

.PHONY: emulate
emulate: check-packages ## run the adapter to GitHub against an emulator that others wrote (npm's emulate)
	@mkdir -p bin/emulate
	cd bin/emulate && npm install --silent --no-audit --no-fund --no-save emulate@0.12.2 node@24
	go test -count 1 -v -run IndependentEmulator ./bot/github

.PHONY: golden
golden: build ## rewrite the golden files; read the diff before you commit it
	go test $$(git grep -lE 'flag\.Bool\("update"' -- '*_test.go' | xargs -r -n1 dirname | sort -u | sed 's|^|./|') -update
	@git --no-pager diff --stat

.PHONY: build
build: go bin/ortest bin/act ## bin/ortest, and bin/act which the demo's runners use

# The go command knows best whether bin/ortest is out of date. It is linked statically:
# instances and 32-bit systems run it, whose C library is another one.
.PHONY: bin/ortest
bin/ortest:
	CGO_ENABLED=0 go build -trimpath -ldflags '$(RELEASE)' -o $@ ./cmd/ortest

bin/act: act.mod act.sum
	go build -modfile=act.mod -trimpath -o $@ github.com/nektos/act
	@touch $@

# Only tests use these; npm checks what it fetches.
EXAMPLES := @octokit/webhooks-examples@7.6.1
bin/webhooks-examples.json: Makefile
	@mkdir -p bin
	cd bin && tar -xzOf "$$(npm pack --silent $(EXAMPLES))" package/api.github.com/index.json >examples.tmp && mv examples.tmp webhooks-examples.json && rm -f octokit-webhooks-examples-*.tgz

AXE := axe-core@4.14.1
bin/axe.min.js: Makefile
	@mkdir -p bin
	cd bin && tar -xzOf "$$(npm pack --silent $(AXE))" package/axe.min.js >axe.tmp && mv axe.tmp axe.min.js && rm -f axe-core-*.tgz

PARSER := @actions/workflow-parser@0.3.61
bin/parser/parse.mjs: Makefile workflows/testdata/parse.mjs
	@mkdir -p bin/parser
	cd bin/parser && npm install --silent --no-audit --no-fund --no-save $(PARSER)
	cp workflows/testdata/parse.mjs $@

.PHONY: dist dist-check image
dist: go ## a release of the commit at hand in dist: static binaries for amd64 and arm64, archives, bills of materials, SHA256SUMS
	deploy/dist dist

dist-check: dist ## is that the same, byte by byte, when it is built in another folder, from nothing?
	deploy/dist-check dist

image: dist ## the container image of it, with docker, podman or buildah (TAG=ortest, ARCH=arm64)
	deploy/image dist $(TAG)

.PHONY: clean
clean: ## remove bin
	rm -rf bin

.PHONY: hooks
hooks: ## install a git hook that runs make check before each push
	@hook=$$(git rev-parse --git-path hooks)/pre-push; \
	if [[ -e $$hook ]] && ! grep -q 'make check' "$$hook"; then echo "$$hook is there already; add a line to it: exec make check" >&2; exit 1; fi; \
	mkdir -p "$$(dirname "$$hook")"; printf '#!/bin/sh\nexec make check\n' >"$$hook"; chmod +x "$$hook"; echo "installed $$hook"

# The parts of check, each on its own.
.PHONY: format vet lint workflows modules generated
format: go ## are all Go files formatted?
	@bad=$$(git ls-files --cached --others --exclude-standard '*.go' | xargs -r ls -d 2>/dev/null | xargs -r gofmt -l); \
	if [[ -n $$bad ]]; then printf 'not formatted:\n%s\n' "$$bad" >&2; exit 1; fi

vet: go ## go vet
	go vet ./...

lint: go ## golangci-lint
	go tool -modfile=lint.mod golangci-lint run

workflows: go bin/ortest ## actionlint and our own rules on our own workflow files (those that ortest installs are held to them by a test)
	go tool -modfile=tools.mod actionlint $(wildcard .github/workflows/*.yml)
	bin/ortest workflows check

# Tidying goes on after errors (-e), and go.sum is left out: tests of a dependency
# import what cannot be had everywhere, and nothing of ours needs it.
modules: go ## do the module files say what is used, and is what was fetched unchanged?
	@mkdir -p bin
	go mod verify
	@untidy=$$(go mod tidy -e -diff 2>bin/tidy.log | awk '/^diff / { mod = $$2 ~ /go\.mod$$/ } mod' || true); \
	if [[ -n $$untidy ]]; then cat bin/tidy.log >&2; printf 'go mod tidy would change:\n%s\n' "$$untidy" >&2; exit 1; fi

generated: check-packages ## do generated files look as go generate makes them? (needs the network)
	.ci/generated

.PHONY: go demo-packages test-packages check-packages
go:
	@.ci/go-version

demo-packages:
	@.ci/need $(DEMO_PACKAGES)

test-packages:
	@.ci/need $(DEMO_PACKAGES) $(TEST_PACKAGES)

check-packages:
	@.ci/need $(CHECK_PACKAGES)
