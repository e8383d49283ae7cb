# Every target makes what it needs: `make test` in a fresh clone is enough.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
ACTIONLINT := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

# One environment per purpose, so that none changes under another's feet.
DEMO := .venv
DEV := .venv-dev
TEST := .venv-test
RELEASE := .venv-release

WHEEL := build/wheel
PINNED := tools/pinned.txt

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
AS_BUILT := CGO_CFLAGS=-O2 CGO_LDFLAGS=-O2 GOFLAGS="$(GOFLAGS) -trimpath -gcflags=all=-dwarf=false"

# Compilers and analysers take a tenth to a quarter less time if they look for garbage less often.
QUICKLY := GOGC=400

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
test: lint docs test-go test-python ## all linters, the docs and all tests, on the built and installed wheel

# lego's command is tested as it is built: the race detector would compile all
# provider SDKs once more, for minutes. Hosts are started from the wheel's own.
# What has failed is run once more, as tools/run-suite does it.
# -count=1: it reads a page of the docs, of which Go's cache of results knows nothing.
# -vet=off: `make lint` has vetted it all; here each variant of each package would be once more.
.PHONY: test-go
test-go: $(WHEEL)/.built
	cd engine && export PYLEGO_LEGO=$(CURDIR)/src/pylego/_bin/lego && \
		tests="-vet=off $(RACE) $$($(GO) list ./... | grep -v /cmd/lego$$ | xargs)" && \
		{ $(GO) test $$tests || { echo "== once more, what failed beside the others; look into it:" && \
			$(GO) test $$tests; }; }
	cd engine && $(AS_BUILT) CGO_ENABLED=0 $(GO) test -vet=off -count=1 ./cmd/lego
	@[ -n "$(RACE)" ] || echo "go test ran without -race: no C compiler found"

.PHONY: test-python
test-python: $(TEST)/.installed
	tools/run-suite $(TEST)/bin/pytest -rs $(AT_ONCE)

.PHONY: test-pythons
test-pythons: $(WHEEL)/.built ## the tests on the other Pythons 3.10+ of this machine
	tools/test-pythons $(WHEEL)/*.whl $(TEST)/bin/python

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
	$(TEST)/bin/pip install --quiet "$$(ls $(WHEEL)/*.whl)[bench]"
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

# Go's analysers go by what was compiled as for the wheel; the provider SDKs take minutes.
.PHONY: lint
lint: $(TEST)/.installed ## every linter and type checker, NOTICE, the catalogue, the workflows
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	for system in linux darwin win32; do \
		$(TEST)/bin/mypy --platform $$system src $(wildcard tests/typing/*.py); done
	$(TEST)/bin/basedpyright --pythonpath $(TEST)/bin/python
	PYTHONPATH=src $(TEST)/bin/lint-imports
	cd engine && badly=$$($$($(GO) env GOROOT)/bin/gofmt -l .); \
		[ -z "$$badly" ] || { echo "run 'make fmt' for:" $$badly; exit 1; }
	cd engine && $(QUICKLY) $(AS_BUILT) CGO_ENABLED=0 $(GO) vet ./...
	$(if $(RACE),cd engine && $(QUICKLY) $(AS_BUILT) $(GO) vet ./cmd/libpylego)
	cd engine && $(QUICKLY) $(AS_BUILT) CGO_ENABLED=0 $(GO) run $(STATICCHECK) \
		$$($(GO) list ./... | grep -v /libpylego$$)
	$(if $(RACE),cd engine && $(QUICKLY) $(AS_BUILT) $(GO) run $(STATICCHECK) ./cmd/libpylego)
	$(QUICKLY) $(AS_BUILT) CGO_ENABLED=0 $(GO) run $(ACTIONLINT) -shellcheck= -pyflakes= .github/workflows/*.yml
	$(WITH_GO) $(TEST)/bin/python tools/notice.py --check
	cd engine && $(GO) run ./tools/catalogue --check

.PHONY: docs
docs: $(TEST)/.installed ## the documentation, as a website in build/site
	NO_MKDOCS_2_WARNING=1 $(TEST)/bin/mkdocs build --strict --quiet

.PHONY: notice
notice: $(TEST)/.tools ## write NOTICE again after engine/go.mod changed
	$(WITH_GO) $(TEST)/bin/python tools/notice.py

.PHONY: catalogue
catalogue: $(TEST)/.tools ## write what lego's DNS providers want again after its version changed
	cd engine && $(GO) generate ./cmd/lego && $(GO) run ./tools/catalogue

# What the page and the tables lack is no failure here: a person decides it.
.PHONY: upgrade-lego
upgrade-lego: $(TEST)/.tools ## all that follows from another VERSION of lego, and what is left to be looked at
	$(WITH_GO) $(TEST)/bin/python tools/upgrade_lego.py \
		$(or $(VERSION),$(error make upgrade-lego VERSION=v5.3.1, or another one))
	$(MAKE) --no-print-directory catalogue notice
	$(TEST)/bin/python tools/upgrade_lego.py
	-cd engine && $(AS_BUILT) CGO_ENABLED=0 $(GO) test -count=1 ./cmd/lego ./tools/catalogue

## For releases

# Of this machine, for its tests: what is published is built for many.
$(WHEEL)/.built: $(SOURCES) | $(TEST)/.tools
	rm -f $(WHEEL)/*.whl
	$(QUICKLY) $(TEST)/bin/pip wheel --quiet --no-deps --wheel-dir $(WHEEL) .
	touch $@

.PHONY: wheels
wheels: $(RELEASE)/.installed ## dist/: the sources and a wheel for each platform, looked at as an index would
	PATH="$(CURDIR)/$(RELEASE)/bin:$$PATH" $(RELEASE)/bin/python tools/wheels.py $(PLATFORM)

.PHONY: wheel
wheel: $(RELEASE)/.installed ## that of one PLATFORM (a name of hatch_build.py)
	PATH="$(CURDIR)/$(RELEASE)/bin:$$PATH" $(RELEASE)/bin/python tools/wheels.py \
		$(or $(PLATFORM),$(error make wheel PLATFORM=linux-x86_64-glibc, or another name of hatch_build.py))

.PHONY: test-wheels
test-wheels: $(RELEASE)/.installed ## dist/*.whl, installed and run: here, in an empty root, by qemu and Wine
	$(RELEASE)/bin/pytest -rs --timeout=0 --confcutdir=tests/wheels tests/wheels

# Last, since all else can be looked at in a version that is still in the making.
.PHONY: release-check
release-check: $(RELEASE)/.installed ## slow: every wheel twice, which has to come out the same; test-wheels; the notes
	PATH="$(CURDIR)/$(RELEASE)/bin:$$PATH" $(RELEASE)/bin/python tools/wheels.py --twice $(PLATFORM)
	$(MAKE) test-wheels
	$(RELEASE)/bin/python tools/release_notes.py "v$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)"

# What builds is pinned; what only looks at the wheels is the newest, and changes none of it.
$(RELEASE)/.installed: pyproject.toml $(PINNED)
	$(PYTHON) -m venv --clear $(RELEASE)
	$(RELEASE)/bin/pip install --quiet --require-hashes --requirement $(PINNED)
	$(RELEASE)/bin/pip install --quiet --constraint <(grep -oE '^[a-z-]+==[0-9.]+' $(PINNED)) \
		auditwheel check-wheel-contents twine pytest pytest-timeout
	$(RELEASE)/bin/python hatch_build.py --missing | xargs -r $(RELEASE)/bin/pip install --quiet
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
	rm -rf build dist src/pylego/_bin $(DEMO) $(DEV) $(TEST) $(RELEASE)

# What building needs, and Go or a C compiler from PyPI where the machine has none.
$(TEST)/.tools: pyproject.toml
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/pip install --quiet hatchling
	$(TEST)/bin/python hatch_build.py --missing | xargs -r $(TEST)/bin/pip install --quiet
	touch $@

# From 0.29 on typer makes a validator of pydantic's for each flag: a fifth of a second for each of
# thousands of commands here. The newest is what test-pythons and the demo install, as users do.
$(TEST)/.installed: $(WHEEL)/.built
	$(TEST)/bin/pip install --quiet "$$(ls $(WHEEL)/*.whl)[cli,test,lint,docs]" 'typer<0.29'
	$(TEST)/bin/pip install --quiet --no-deps --force-reinstall $(WHEEL)/*.whl
	touch $@
