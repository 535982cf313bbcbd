# Every target sets up what it needs by itself: a virtual environment in .venv (VENV=path for another one).
#
#   make run          the inspector on this folder (DIR=path for another one), or on a demo where no .trae/ is
#   make test         the whole suite but what takes long          make test-long    what takes long
#   make nightly      exhaustive tests and planted defects         make check        style, types, imports, docs
#   make bench        benchmarks, side by side                     make bench-check  is the engine as fast as it was?
#   make screenshots  a picture of every screen
#   make docs         the documentation as a site in site/         make clean        remove what the targets made

VENV ?= .venv
DIR ?= .
JOBS ?= logical
PYTEST_ARGS ?=
BENCH_ARGS ?=

PYTHON := $(VENV)/bin/python
PYTEST := '$(PYTHON)' -m pytest -q
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

FOR_RUN := $(VENV)/.devstate-run
FOR_WORK := $(VENV)/.devstate-work
FOR_BENCH := $(VENV)/.devstate-bench

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test test-long nightly check bench bench-check screenshots docs constraints clean

help:
	@sed -n 's/^#   /  /p' Makefile

$(PYTHON):
	@scripts/make_venv '$(VENV)'

$(FOR_RUN): pyproject.toml constraints.txt | $(PYTHON)
	@echo 'Installing devstate in $(VENV)'
	@'$(PYTHON)' -m pip install --quiet -c constraints.txt -e .
	@touch '$@'

$(FOR_WORK): pyproject.toml constraints.txt | $(PYTHON)
	@echo 'Installing devstate, and the tools for work on it, in $(VENV)'
	@'$(PYTHON)' -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch '$(FOR_RUN)' '$@'

# The peer of the engine's benchmark; without it (no package for this machine) its columns stay empty.
$(FOR_BENCH): pyproject.toml constraints.txt | $(FOR_WORK)
	@'$(PYTHON)' -m pip install --quiet -c constraints.txt -e '.[bench]' \
		|| echo 'The peer cannot be installed here: the engine is measured alone.'
	@touch '$@'

setup: $(FOR_WORK)

run: $(FOR_RUN)
	@scripts/run '$(VENV)/bin/devstate' '$(DIR)'

test: $(FOR_WORK)
	@$(PYTEST) -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

test-long: $(FOR_WORK)
	@$(PYTEST) -n $(JOBS) --dist worksteal -m long $(PYTEST_ARGS)

nightly: $(FOR_WORK)
	@$(PYTEST) -n $(JOBS) --dist worksteal -m nightly $(PYTEST_ARGS)

check: $(FOR_WORK)
	@scripts/check '$(VENV)/bin'

bench: $(FOR_WORK) $(FOR_BENCH)
	@'$(PYTHON)' bench/run.py $(BENCH_ARGS)

bench-check: $(FOR_WORK)
	@'$(PYTHON)' bench/engine_check.py $(BENCH_ARGS)

screenshots: $(FOR_WORK)
	@'$(PYTHON)' screenshots/make.py

docs: $(FOR_WORK)
	@'$(PYTHON)' scripts/keys_page.py
	@'$(PYTHON)' scripts/findings_examples.py
	@'$(PYTHON)' -m mkdocs build --quiet --strict
	@echo 'The documentation is in site/index.html.'

constraints:
	@scripts/make_constraints

clean:
	@rm -rf .venv build dist site demo .pytest_cache .hypothesis .ruff_cache .import_linter_cache snapshot_report.html
	@find core tui cli tests bench scripts screenshots -name __pycache__ -type d -prune -exec rm -rf {} +
