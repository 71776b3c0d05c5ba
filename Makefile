# Everything a developer types. `make help` lists it; each target works on a fresh clone.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 3
# One more than the two cores that CI has: the tests wait for real processes most of the time.
LOCK   ?= requirements.lock
# What is installed first, each file by its hash. `make LOCK= ...` takes the newest versions that pyproject.toml allows.

.DEFAULT_GOAL := help
.PHONY: help run test check format bench soak docs lock audit clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml hatch_build.py requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("Redyard needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(if $(LOCK),$(BIN)/python -m pip install --quiet --require-hashes --requirement $(LOCK))
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	@touch $@

run: $(STAMP) ## Start the add-on, the reference app and its worker, and print their addresses
	@$(BIN)/python examples/agent_tasks/run.py

test: $(STAMP) ## Run the test suite on real engines
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: $(STAMP) ## Lint, types, layers, generated pages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python docs/reference.py --check

format: $(STAMP) ## Format the code and mend what the linter can
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: $(STAMP) ## Measure; the figures of docs/benchmarks.md come from here
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(STAMP) ## Run the long tests: kill loops on real engines, fuzzers
	@$(BIN)/python -m pip install --quiet --group fuzz || echo 'atheris is not to be had here: no fuzzers'
	@$(BIN)/python -m pytest -m soak --timeout 3600 $(ARGS)

docs: $(STAMP) ## Write the reference pages from the tables
	@$(BIN)/python docs/reference.py

lock: $(STAMP) ## Choose the newest versions again and write down the hashes of their files
	@$(BIN)/python -m pip install --quiet --group lock
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-annotate --python-version 3.11 \
	  --custom-compile-command 'make lock' --extra all --group dev --output-file requirements.lock pyproject.toml

audit: $(STAMP) ## Ask PyPI's advisories about every locked package (needs the network)
	@$(BIN)/python -m pip install --quiet --group audit
	@$(BIN)/python -m pip_audit --strict --disable-pip --require-hashes --requirement requirements.lock $(ARGS) || { echo \
	  'The audit did not pass. A table above names packages with advisories: make lock takes newer versions. "Not found' \
	  'on PyPI" or a connection error: the advisories (pypi.org/pypi/NAME/VERSION/json) are not to be had from here, and' \
	  'nothing is known, good or bad; ask where the network is open, or another service by make audit ARGS="-s osv".'; exit 1; }

clean: ## Remove the environment and what tools left
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build tests/interop/*/node_modules
