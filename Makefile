# Everything starts here, on a machine that has Python 3.11 or newer, make and git.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt
# One line for each package, and the size of those that take a while; what goes wrong is told in full on stderr.
PROGRESS := | awk '/^Collecting/ { printf "  %s\n", $$2; fflush() } /Downloading.*MB\)/ { printf "    %s %s %s\n", $$1, $$(NF-1), $$NF; fflush() }'
# The order of the tests is random; `make test SEED=...` repeats one.
SEED := $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))
WORKERS ?= 2
ARGS ?=

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.installed ## install what is missing, then serve; ARGS="--port 8000" are handed to `memos serve`
	@exec $(BIN)/memos serve $(ARGS)

.PHONY: test
test: $(VENV)/.installed-dev lint ## ruff, mypy, import laws, then every test but the long ones
	@echo "== tests, in random order: repeat with make test SEED=$(SEED)"
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not full and not gpu" --randomly-seed=$(SEED) $(ARGS)

.PHONY: test-full
test-full: $(VENV)/.installed-dev lint ## the same and the long tests: fault injection at length, many more examples
	@echo "== every test, in random order: repeat with make test-full SEED=$(SEED)"
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not gpu" --hypothesis-profile=full --timeout=1800 --randomly-seed=$(SEED) $(ARGS)

.PHONY: test-gpu
test-gpu: $(VENV)/.installed-dev ## the tests that need a CUDA device
	@$(BIN)/python -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "torch sees no CUDA device on this machine")'
	@$(BIN)/python -m pytest -q -m gpu tests/models $(ARGS)

.PHONY: lint
lint: $(VENV)/.installed-dev ## the static half of `make test`
	@echo "== ruff check"; $(BIN)/ruff check .
	@echo "== ruff format --check"; $(BIN)/ruff format --check .
	@echo "== mypy --strict"; $(BIN)/mypy --strict
	@echo "== import laws"; $(BIN)/lint-imports --no-logo

.PHONY: format
format: $(VENV)/.installed-dev ## format the code and mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: docs
docs: $(VENV)/.installed-dev ## build the documentation into build/docs; open build/docs/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "== build/docs/index.html"

.PHONY: constraints
constraints: ## pin today's releases of everything anew, in constraints.txt
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	python=$$($(FIND_PYTHON)); "$$python" -m venv "$$fresh/venv"; \
	"$$fresh/venv/bin/pip" install --quiet --disable-pip-version-check -e '.[dev]'; \
	{ sed -n '/^#/p' constraints.txt; \
	  "$$fresh/venv/bin/pip" freeze --all --exclude pip --exclude-editable --disable-pip-version-check \
	  | sed -E 's/\+[a-z0-9.]+$$//'; } > "$$fresh/constraints.txt"; \
	cp "$$fresh/constraints.txt" constraints.txt

.PHONY: clean
clean: ## remove the virtual environment and every cache; memos-data stays
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './memos-data/*' -prune -exec rm -rf {} +

# The first interpreter on PATH that runs, is new enough and can make virtual environments.
FIND_PYTHON = for name in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
	if "$$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	echo "$$name"; exit 0; fi; done; \
	echo "memos needs Python 3.11 or newer with its venv module, and found none on PATH" >&2; exit 1

$(VENV)/.made:
	@python=$$($(FIND_PYTHON)); \
	echo "== making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(INPUTS) | $(VENV)/.made
	@echo "== installing memos into $(VENV) (once, a minute or more)"
	@$(PIP_INSTALL) -e '.[all]' $(PROGRESS)
	@touch $@

# The development install holds the serving one.
$(VENV)/.installed-dev: $(INPUTS) | $(VENV)/.made
	@echo "== installing memos and its development tools into $(VENV) (once, a minute or more)"
	@$(PIP_INSTALL) -e '.[dev]' $(PROGRESS)
	@touch $(VENV)/.installed $@
