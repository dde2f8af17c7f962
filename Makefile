# Every target explains itself: `make` lists them. Needs only make and a Python of 3.11 or newer.

PYTHON  ?= python3.13 python3.12 python3.11 python3
BIN     := .venv/bin
READY   := .venv/.ready
CHECKS  := .venv/checks
PIP     := $(BIN)/python -m pip --quiet --disable-pip-version-check
RULES   := $(wildcard rules/*.yaml rules/examples/*.yaml)
ARGS    ?=
BROKER  ?=
MINUTES ?= 10
COMPILE := uv pip compile --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test test-long faults soak bench rules mutate generated lint types browser pictures check-deploy sbom audit format lock clean

help: ## Show what there is to do
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## Make .venv with everything, exactly as locked, and the `decisioning` command

# The first Python that runs and is new enough: a name alone proves nothing (pyenv leaves names that do not run).
$(READY): requirements.lock pyproject.toml
	@for python in $(PYTHON); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "make: no Python 3.11 or newer among: $(PYTHON). Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "make: $$found lacks the venv module; install it (Debian, Ubuntu: the package python3-venv)" >&2; exit 1; \
	fi; \
	echo "setting up .venv with $$found, once; this takes a minute"; \
	"$$found" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

demo: $(READY) ## Watch real shop days become decisions (ARGS=--plain for logs, BROKER=host:port for a Kafka of yours)
	@$(BIN)/decisioning demo $(if $(BROKER),--broker $(BROKER)) $(ARGS)

test: $(READY) ## Run the tests, a few side by side (ARGS=… goes to pytest)
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal -m "not long" $(ARGS)

test-long: $(READY) ## Run the tests that take long: more kills, backlogs, several workers
	$(BIN)/python -m pytest --numprocesses 3 --dist worksteal -m long $(ARGS)

faults: $(READY) ## Play the fault scenarios and verify what is left (ARGS="--seeds 5", "--tier B", "--compare", "--help")
	@$(BIN)/python -m tests.faults $(ARGS)

soak: $(READY) ## Mixed faults on a real Kafka for MINUTES (default 10): nothing lost, nothing grows
	@$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(ARGS)

bench: $(READY) ## Measure this beside other engines on a real Kafka (ARGS="--quick", "--json FILE", "--guard", "--help")
	@$(BIN)/python -m tests.bench $(ARGS)

rules: $(READY) ## Check the rulebooks and play their cases
	$(BIN)/decisioning check $(RULES)
	$(BIN)/decisioning test $(RULES)

mutate: $(READY) ## Change each rule and number of the rulebooks in turn: some case must notice
	$(BIN)/decisioning mutate $(RULES)

generated: $(READY) ## Write the JSON Schemas, the AsyncAPI document, tables, manifests and dashboards anew
	$(BIN)/decisioning schema rulebook cases --write rules/schema
	$(BIN)/decisioning schema event decision asyncapi --write contract
	$(BIN)/decisioning tables rules/README.md
	$(BIN)/python -m tests.deploy.manifests
	$(BIN)/decisioning api document > contract/openapi.json
	$(BIN)/python -m deploy.grafana.build

lint: $(READY) ## Check the style
	$(BIN)/ruff check .

types: $(READY) ## Check the types
	$(BIN)/mypy

check-deploy: $(READY) $(CHECKS)/.ready ## Check all of deploy/ and the compose file, without a cluster or Docker
	@$(BIN)/python -m tests.deploy $(CHECKS)/bin

sbom: $(CHECKS)/.ready ## Write dist/decisioning.cdx.json: what the image holds, with licences (CycloneDX)
	@rm -rf .venv/image && $(BIN)/python -m venv --without-pip .venv/image
	@$(PIP) --python .venv/image install --only-binary :all: --require-hashes --requirement deploy/requirements.lock
	@mkdir -p dist
	@$(CHECKS)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --validate \
	  --output-file dist/decisioning.cdx.json .venv/image/bin/python
	@echo "wrote dist/decisioning.cdx.json"

# --strict: a package that the index knows nothing of is a failure; without it nothing found looks like nothing there.
audit: $(CHECKS)/.ready ## Look for known vulnerabilities in what the image holds (needs the network: PyPI's advisories)
	@$(CHECKS)/bin/pip-audit --strict --disable-pip --require-hashes --requirement deploy/requirements.lock

$(CHECKS)/.ready: deploy/checks.lock $(READY)
	@echo "setting up $(CHECKS), once"
	@$(BIN)/python -m venv --without-pip $(CHECKS)
	@$(PIP) --python $(CHECKS) install --require-hashes --requirement deploy/checks.lock
	@touch $@

browser: $(READY) ## Get a headless Chromium (Debian's, by apt), in which the console is tested
	@$(PIP) install --no-compile --require-hashes --requirement tests/streaming/api/console/browser.lock
	@if ! $(BIN)/python -m tests.streaming.api.console.browser; then \
	  sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends chromium-headless-shell; \
	fi
	@$(BIN)/python -m tests.streaming.api.console.browser

pictures: $(READY) ## Take the README's pictures of the console anew (after `make browser`)
	@$(BIN)/python -m tests.streaming.api.console.pictures

format: $(READY) ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## Resolve the lock files anew from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "make: uv is needed to lock; see https://docs.astral.sh/uv" >&2; exit 1; }
	$(COMPILE) --extra holidays --extra otel --group dev --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra holidays --constraint requirements.lock --output-file deploy/requirements.lock pyproject.toml
	$(COMPILE) --group checks --output-file deploy/checks.lock
	$(COMPILE) --group browser --constraint requirements.lock --output-file tests/streaming/api/console/browser.lock
	$(COMPILE) --group build --constraint requirements.lock --output-file deploy/build.lock

clean: ## Remove everything that was made here
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
