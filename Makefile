# `make` or `make help` lists what there is to do: every target with a `##` behind it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

STATIC := .build-static
SWIFT_SOURCES := Package.swift Sources Tests

# Everything that goes into the binary; files that come and go are found anew at each run of make.
BINARY_INPUTS := Package.swift $(shell find Sources -name '*.swift' -o -name '*.c' -o -name '*.h')

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install what building and testing need (Debian packages, five Python environments)
	Scripts/setup.sh

.PHONY: build
build: bin/pachctl ## the release binary, fully static: bin/spile, and the same file as bin/pachctl

bin/spile: $(BINARY_INPUTS)
	Scripts/setup.sh build
	swift build -c release --static-swift-stdlib -Xswiftc -static-executable --product spile --scratch-path $(STATIC)
	mkdir -p bin
	strip --strip-unneeded -o bin/spile.new "$$(swift build -c release --static-swift-stdlib \
	    -Xswiftc -static-executable --product spile --scratch-path $(STATIC) --show-bin-path)/spile"
	mv bin/spile.new bin/spile

bin/pachctl: bin/spile
	ln -f bin/spile bin/pachctl

.PHONY: test
test: ## everything: builds, unit tests, wire check, client programs, containers, Kubernetes, examples, a short demo
	Scripts/test.sh

.PHONY: cluster
cluster: ## several servers on one catalog and one store, disturbed; docs/TESTING.md has the parameters
	Scripts/cluster.sh

.PHONY: demo
demo: ## a real broker's messages land as commits; DEMO_SECONDS=N ends it by itself
	Scripts/demo.sh

.PHONY: bench
bench: bin/pachctl ## measure the budgets of docs/BENCHMARKS.md as ratios to this machine's own limits
	Benchmarks/run.sh

.PHONY: format
format: ## rewrite the Swift sources in the project's layout
	swift format --in-place --parallel --recursive --configuration .swift-format $(SWIFT_SOURCES)

.PHONY: lint
lint: ## report what `make format` would change, and what shellcheck finds if it is installed
	swift format lint --parallel --recursive --configuration .swift-format $(SWIFT_SOURCES)
	if command -v shellcheck >/dev/null; then shellcheck Scripts/*.sh deploy/*.sh .ci/run; fi

.PHONY: protos
protos: ## generate Sources/API anew from Protos/
	Scripts/generate-protos.sh

.PHONY: clean
clean: ## remove what was built and what the demo left; Python environments stay
	rm -rf .build $(STATIC) bin .demo
