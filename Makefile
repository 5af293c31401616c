# `make audit` and `make test` each work alone on a fresh clone: they need Python 3.11+ and make.
# Another interpreter: `make audit PYTHON=python3.12`.

.PHONY: audit test lint bench campaign docs example clean
.DEFAULT_GOAL := audit
SHELL := /bin/sh

# The first interpreter that is new enough; the recipe that uses it says so where there is none.
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c "$(NEW_ENOUGH)" >/dev/null 2>&1 && echo "$$name" && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# One torch thread per process: audits and tests start several processes of their own.
export OMP_NUM_THREADS ?= 1

QUICKSTART := runs/quickstart

audit: $(VENV)/.installed
	@$(BIN)/leakaudit run examples/quickstart.toml --out $(QUICKSTART)
	@echo "Open $(CURDIR)/$(QUICKSTART)/report.html (to read) or report.pdf (to sign and file)."

# Files of tests run side by side, each in one process: what a file's tests share is made once.
# One after another, as a debugger needs it: `make test WORKERS=0`.
WORKERS ?= $(shell $(BIN)/python -c "import os; print(min(8, os.cpu_count() or 1))")

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.installed-dev
	@for file in $$(grep -l 'recording import' benchmarks/*.py benchmarks/attacks/*.py); do \
		echo "$$file" && $(BIN)/python "$$file" || exit $$?; \
	done

# Kills and mutations by chance; every find is repeated by its printed seed.
CAMPAIGN_MINUTES ?= 10

campaign: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/campaign/run.py --minutes $(CAMPAIGN_MINUTES)

docs: $(VENV)/.installed-dev
	$(BIN)/python -m leakaudit.cli.reference docs/cli.md

# The report that docs/ shows: a small audit of generated patients.
EXAMPLE := docs/example-report

example: $(VENV)/.installed
	@$(BIN)/leakaudit run $(EXAMPLE)/audit.toml --out runs/example --no-report
	@$(BIN)/leakaudit report runs/example --policy $(EXAMPLE)/leakage-policy.toml
	@cp runs/example/report.html runs/example/report.pdf $(EXAMPLE)/

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	@echo "Kept: $(VENV) and runs/. Remove them by hand if you mean to."

# Each stamp is younger than what it was installed from. The second installs all that the first
# does, so it satisfies both; the first never takes the second's packages away.
$(VENV)/.made:
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c "$(NEW_ENOUGH)" >/dev/null 2>&1; then \
		echo "leakaudit needs Python 3.11 or newer with its venv module;" >&2; \
		echo "found: $$("$(or $(PYTHON),python3)" --version 2>&1);" >&2; \
		echo "do: install it (Debian: apt install python3-venv), or make PYTHON=python3.12" >&2; \
		exit 4; \
	fi
	"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing leakaudit and what it needs into $(VENV); the first time takes minutes."
	@rm -rf leakaudit.egg-info # an old one in the tree would hide new plug-ins
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing leakaudit and its tools into $(VENV); the first time takes minutes."
	@rm -rf leakaudit.egg-info # an old one in the tree would hide new plug-ins
	$(PIP) -e ".[dev]"
	@touch $(VENV)/.installed $@
