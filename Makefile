# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := build/lock

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bundle bench lock clean

help:  ## what can be done here
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY)  ## the environment .venv from the locked requirements

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "make setup: $(PYTHON) is not Python 3.11 to 3.13; name one with: make setup PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make setup: $(PYTHON) cannot make virtual environments; install them with: sudo apt install python3-venv" >&2; exit 2; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY)  ## a day in the flat, at speed (LOG=path plays a recorded log)
	@exec $(BIN)/spotty-sandbox demo $(if $(LOG),--log "$(LOG)") $(DEMO)

test: $(READY)  ## all tests
	$(BIN)/python -m pytest $(T)

lint: $(READY)  ## style, types and the rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## let ruff lay out the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

bundle:  ## what Greengrass installs, in greengrass-build/ (recipes/README.md)
	$(PYTHON) components/build.py

bench: $(READY)  ## figures as ratios to a floor measured in the same run
	$(BIN)/python -m tests.bench

lock:  ## resolve requirements/*.txt anew from pyproject.toml, with hashes
	$(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/python -m pip install --quiet uv
	$(LOCK)/bin/uv pip compile pyproject.toml $(LOCKING) --extra gateway --output-file requirements/gateway.txt
	$(LOCK)/bin/uv pip compile pyproject.toml $(LOCKING) --extra gateway --extra sandbox --extra cloud --extra dev --extra lgpio \
	  --constraint requirements/gateway.txt --output-file requirements/dev.txt

# One lock for 3.11 to 3.13 and for both processor kinds; no index address may stand in it.
LOCKING := --quiet --universal --python-version 3.11 --generate-hashes --upgrade --no-header \
  --annotation-style line --no-emit-index-url --no-emit-find-links --no-emit-build-options

clean:  ## remove everything that can be made again
	rm -rf $(VENV) .cache build dist greengrass-build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
