# Every target makes what it needs: `make test` in a fresh clone is enough.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# One environment per purpose, so that none changes under another's feet.
DEMO := .venv
DEV := .venv-dev
TEST := .venv-test

export GOTOOLCHAIN := local
export GOFLAGS := -mod=readonly
export GOWORK := off
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# $(TEST)/bin has Go where the machine has none. For Go commands only.
WITH_GO := PATH="$(CURDIR)/$(TEST)/bin:$$PATH"
GO := $(WITH_GO) go
# Go's race detector and cgo need a C compiler.
RACE := $(if $(shell command -v cc || command -v gcc || command -v clang),-race)

# The settings of hatch_build.py: the cache of a wheel's build then saves minutes.
AS_BUILT := CGO_CFLAGS=-O2 CGO_LDFLAGS=-O2

# Tests wait more than they compute.
AT_ONCE := -n 4 --dist loadfile

# Directories too: they change when a file is removed.
SOURCES := $(shell find src engine -not -path '*/_bin*' -not -path '*/__pycache__*' \
	-not -name '*_test.go' -not -name '*.pyc' 2>/dev/null) \
	pyproject.toml hatch_build.py LICENSE NOTICE README.md

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

## For users

.PHONY: demo
demo: $(DEMO)/.installed ## install into .venv and obtain certificates from the embedded server
	$(DEMO)/bin/pylego demo

$(DEMO)/.installed: $(SOURCES)
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/pip install --quiet '.[cli]'
	touch $@

## For developers

.PHONY: test
test: lint test-go test-python ## all linters and all tests, on the built and installed wheel

# lego's command is tested as it is built: the race detector would compile all
# provider SDKs once more, for minutes. Hosts are started from the wheel's own.
.PHONY: test-go
test-go: dist/.built
	cd engine && PYLEGO_LEGO=$(CURDIR)/src/pylego/_bin/lego \
		$(GO) test $(RACE) $$($(GO) list ./... | grep -v /cmd/lego$$)
	cd engine && $(AS_BUILT) CGO_ENABLED=0 $(GO) test -trimpath ./cmd/lego
	@[ -n "$(RACE)" ] || echo "go test ran without -race: no C compiler found"

.PHONY: test-python
test-python: $(TEST)/.installed
	$(TEST)/bin/pytest -rs $(AT_ONCE)

.PHONY: test-pythons
test-pythons: dist/.built ## a quick part of the tests on every Python 3.10+ of this machine
	tools/test-pythons dist/*.whl

.PHONY: dev
dev: $(DEV)/.installed ## an editable install in .venv-dev; builds only what changed
	PATH="$(CURDIR)/$(DEV)/bin:$$PATH" $(DEV)/bin/python hatch_build.py

$(DEV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/pip install --quiet --editable '.[cli,test,lint]'
	$(DEV)/bin/python hatch_build.py --missing | xargs -r $(DEV)/bin/pip install --quiet
	touch $@

.PHONY: bench
bench: $(TEST)/.installed ## ours and its peers, side by side, in one table
	$(TEST)/bin/pip install --quiet "$$(ls dist/*.whl)[bench]"
	$(TEST)/bin/python -m benchmarks

.PHONY: soak
soak: $(TEST)/.installed ## long random tests (SOAK_CERTIFICATES, SOAK_SECONDS, SOAK_SEED), 10,000 bad inputs each
	$(WITH_GO) tools/fuzz 10000
	$(TEST)/bin/pytest -rs tests/fuzz --hypothesis-profile=soak --timeout=1800 \
		$(if $(SOAK_SEED),--hypothesis-seed=$(SOAK_SEED))
	$(TEST)/bin/pytest -rs -m soak --timeout=0

.PHONY: fmt
fmt: $(TEST)/.installed ## format Python and Go
	$(TEST)/bin/ruff check --fix-only --quiet .
	$(TEST)/bin/ruff format --quiet .
	cd engine && $$($(GO) env GOROOT)/bin/gofmt -w .

.PHONY: lint
lint: $(TEST)/.installed ## every linter and type checker, and NOTICE
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy src $(wildcard tests/typing/*.py)
	$(TEST)/bin/basedpyright --pythonpath $(TEST)/bin/python
	PYTHONPATH=src $(TEST)/bin/lint-imports
	cd engine && badly=$$($$($(GO) env GOROOT)/bin/gofmt -l .); \
		[ -z "$$badly" ] || { echo "run 'make fmt' for:" $$badly; exit 1; }
	cd engine && $(AS_BUILT) CGO_ENABLED=0 $(GO) vet -trimpath ./...
	$(if $(RACE),cd engine && $(AS_BUILT) $(GO) vet -trimpath ./cmd/libpylego)
	cd engine && $(GO) run $(STATICCHECK) ./...
	$(WITH_GO) $(TEST)/bin/python tools/notice.py --check

.PHONY: notice
notice: $(TEST)/.tools ## write NOTICE again after engine/go.mod changed
	$(WITH_GO) $(TEST)/bin/python tools/notice.py

## For releases

.PHONY: wheel
wheel: dist/.built ## dist/*.whl for this machine

dist/.built: $(SOURCES) | $(TEST)/.tools
	rm -f dist/*.whl
	$(TEST)/bin/pip wheel --quiet --no-deps --wheel-dir dist .
	touch $@

.PHONY: sdist
sdist: $(TEST)/.tools ## dist/*.tar.gz
	rm -f dist/*.tar.gz
	$(TEST)/bin/python -m hatchling build --target sdist --directory dist

.PHONY: build-without-tools
build-without-tools: sdist ## slow: build with neither Go nor a C compiler nor a filled home
	tools/build-without-tools dist/*.tar.gz $(TEST)/bin/pytest

.PHONY: clean
clean: ## remove what was built; Go's and pip's caches stay
	rm -rf build dist src/pylego/_bin $(DEMO) $(DEV) $(TEST)

# What building needs, and Go or a C compiler from PyPI where the machine has none.
$(TEST)/.tools: pyproject.toml
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/pip install --quiet hatchling
	$(TEST)/bin/python hatch_build.py --missing | xargs -r $(TEST)/bin/pip install --quiet
	touch $@

$(TEST)/.installed: dist/.built
	$(TEST)/bin/pip install --quiet "$$(ls dist/*.whl)[cli,test,lint]"
	$(TEST)/bin/pip install --quiet --no-deps --force-reinstall dist/*.whl
	touch $@
