# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := build/lock
LOCAL_AWS := .cache/local-aws
CLOUD_LINT := .cache/cloud-lint
JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup local-aws demo test lint format bundle bench fuzz publish-site lock clean

help:  ## what can be done here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

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

local-aws: $(LOCAL_AWS)/.ready  ## the environment of the local AWS (components/sandbox/README.md)

$(LOCAL_AWS)/.ready: requirements/local-aws.txt
	rm -rf $(LOCAL_AWS)
	$(PYTHON) -m venv $(LOCAL_AWS)
	$(LOCAL_AWS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/local-aws.txt
	@touch $@

# LOG and DEMO belong to the demo without a cloud.
AT_THE_EDGE := $(strip $(EDGE)$(LOG)$(DEMO))

demo: $(READY) $(if $(AT_THE_EDGE),,$(LOCAL_AWS)/.ready)  ## a home with its cloud (EDGE=1 without one, CLEAN=1 a new one)
	@exec $(BIN)/spotty-sandbox demo $(if $(AT_THE_EDGE),--edge) $(if $(CLEAN),--fresh) $(if $(LOG),--log "$(LOG)") $(DEMO)

test: $(READY) $(LOCAL_AWS)/.ready  ## all tests (T=path for some, JOBS=1 in one process, SEARCH=1 for new cases, WHOLE=1 for long ones)
	$(BIN)/python -m pytest -n $(JOBS) --no-loadscope-reorder $(if $(SEARCH),--hypothesis-profile=search) $(T)

lint: $(READY) $(CLOUD_LINT)/.passed  ## style, types and the rules of the house; the template, where it has changed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(CLOUD_LINT)/.passed: $(CLOUD_LINT)/.ready cloud/template.yaml cloud/checkov.yaml cloud/lint.py
	$(CLOUD_LINT)/bin/python cloud/lint.py
	@touch $@

# What is locked there is not resolvable by pip itself: requirements/cloud-lint.override says why.
$(CLOUD_LINT)/.ready: requirements/cloud-lint.txt
	rm -rf $(CLOUD_LINT)
	$(PYTHON) -m venv $(CLOUD_LINT)
	$(CLOUD_LINT)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: -r requirements/cloud-lint.txt
	@touch $@

format: $(READY)  ## let ruff lay out the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

bundle:  ## what Greengrass installs, in greengrass-build/ (recipes/README.md)
	$(PYTHON) components/build.py

bench: $(READY) $(LOCAL_AWS)/.ready  ## figures as ratios to a floor measured in the same run
	$(BIN)/python -m tests.bench

fuzz: $(READY) $(LOCAL_AWS)/.ready  ## 3,000 requests and more from the API's own document (FUZZ='--seed 7')
	$(BIN)/python -m tests.cloud.fuzz $(FUZZ)

publish-site: $(READY)  ## upload cloud/dashboard to the stack's site (STACK=spotty-dev)
	@$(BIN)/python cloud/publish_site.py $(if $(STACK),--stack "$(STACK)")

lock:  ## resolve requirements/*.txt anew from pyproject.toml, with hashes
	$(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/python -m pip install --quiet uv
	$(LOCK)/bin/uv pip compile pyproject.toml $(LOCKING) --extra gateway --output-file requirements/gateway.txt
	$(LOCK)/bin/uv pip compile pyproject.toml $(LOCKING) --extra gateway --extra sandbox --extra cloud --extra dev --extra lgpio \
	  --constraint requirements/gateway.txt --output-file requirements/dev.txt
	$(LOCK)/bin/uv pip compile requirements/local-aws.in $(LOCKING) --output-file requirements/local-aws.txt
	$(LOCK)/bin/uv pip compile requirements/cloud-lint.in $(LOCKING) --override requirements/cloud-lint.override \
	  --output-file requirements/cloud-lint.txt
	$(LOCK)/bin/uv pip compile pyproject.toml $(LOCKING) --extra cloud --constraint requirements/dev.txt $(RUNTIME_S_OWN) \
	  --output-file requirements/functions.txt

# One lock for 3.11 to 3.13 and for both processor kinds; no index address may stand in it.
LOCKING := --quiet --universal --python-version 3.11 --generate-hashes --upgrade --no-header \
  --annotation-style line --no-emit-index-url --no-emit-find-links --no-emit-build-options

# Lambda brings these.
RUNTIME_S_OWN := $(foreach one,boto3 botocore s3transfer jmespath python-dateutil six urllib3,--no-emit-package $(one))

clean:  ## remove everything that can be made again
	rm -rf $(VENV) .cache build dist greengrass-build cloud/.aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
