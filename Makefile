# Every target is one plain command; what they need is set up first, once (bootstrap.py).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types imports unit bench lock

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## Set everything up in .venv (again only what has changed)
	@VENV=$(VENV) $(PYTHON) bootstrap.py

demo: setup ## Backtest two strategies on the shipped data and write a report
	@$(BIN)/gpt-trader demo

test: setup ## Run every test; those that start Ray one after the other, in one session
	@status=0; \
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/cluster || status=1; \
	$(BIN)/python -m pytest tests/cluster || status=1; \
	exit $$status

check: setup ## Lint, types, import rules and unit tests (under 20 seconds)
	@$(MAKE) --no-print-directory -j2 -k types lint imports unit

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
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-emit-index-url --no-header --upgrade pyproject.toml --extra dev -o requirements.lock
