# Short names for `python3 bootstrap.py COMMAND`, which needs no make and sets up what is missing first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BOOTSTRAP := VENV=$(VENV) $(PYTHON) bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types imports unit bench lock

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## Set everything up in .venv (again only what has changed)
	@$(BOOTSTRAP)

demo: ## Backtest two strategies on the shipped data and write a report
	@$(BOOTSTRAP) demo

test: ## Run every test; those that start Ray one after the other, in one session
	@$(BOOTSTRAP) test

check: ## Lint, types, import rules and unit tests
	@$(BOOTSTRAP) check

lint: setup
	@$(BIN)/ruff check .

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports --no-logo

unit: setup
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow" tests/unit tests/architecture

bench: setup ## Measure our speed against peers and against the limit
	@$(BIN)/python -m benchmarks

lock: setup ## Resolve requirements.lock anew (addresses left out)
	@uv=$$(command -v uv || echo $(BIN)/uv); $$uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-emit-index-url --no-header --upgrade pyproject.toml --extra dev -o requirements.lock
