# On Windows, where there is no make, README.md has the same two steps.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo gallery test lint
demo: .venv/demo
	$(BIN)/python -m simulator demo

gallery: .venv/demo
	$(BIN)/python -m simulator gallery

test: .venv/dev
	$(BIN)/python -m pytest

lint: .venv/dev
	$(BIN)/ruff check simulator tests benchmarks
	$(BIN)/ruff format --check simulator tests benchmarks
	$(BIN)/mypy

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch .venv/demo $@
