# Everything a person or CI runs. Each target sets up what it needs and is quick the second time.
.PHONY: install demo test test-unit test-clusters check bench clean
SHELL := /bin/bash
PY := .venv/bin/python

install: .venv/installed  ## make .venv with .venv/bin/isthmus

.venv/installed: pyproject.toml requirements.lock scripts/install
	@scripts/install

engine: install
	@$(PY) -m isthmus.sites.local.provision

demo: engine  ## a Slurm cluster from a TOSCA template on this machine, and a parallel job on it
	@scripts/demo

test: engine  ## every test that needs no engine which takes minutes to build
	@scripts/test-tools
	@$(PY) -m pytest -n 2 tests/unit
	@$(PY) -m pytest -m "not cluster" --ignore=tests/unit

test-clusters: engine  ## the drivers of batch systems and pods of all kinds, on real Slurm and HTCondor: half an hour
	@scripts/test-tools
	@$(PY) -m pytest -m cluster tests

test-unit: install  ## tests of the pure parts, without network or engines
	@$(PY) -m pytest -n 2 tests/unit

check: install  ## format, lint, types, layers
	@.venv/bin/ruff format --check --quiet . || { echo "run: .venv/bin/ruff format ."; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports > .venv/layers.txt || { cat .venv/layers.txt; exit 1; }

format: install
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format --quiet .

bench: engine  ## the benchmarks, each printing ratios against a named baseline of the same run
	@for b in $$(grep -l __main__ benchmarks/[a-z]*.py); do echo "== $$b"; $(PY) $$b || exit 1; done

clean:
	@rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
