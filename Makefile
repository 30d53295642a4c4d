# The two commands: `make demo` and `make test`. Both set up what they need; nothing else is installed by hand.
.DEFAULT_GOAL := help
.PHONY: help setup demo test drill bench docs format lock clean

PYTHON := .venv/bin/python

# Compiled modules are kept, also where the shell wants none: each run of the engine starts Python some six times, and
# compiling at each start would double what it costs.
unexport PYTHONDONTWRITEBYTECODE

# An environment whose interpreter is gone is made anew.
$(shell test ! -e .venv/.created || $(PYTHON) -c '' 2>/dev/null || rm -rf .venv)
$(shell test ! -e policy/.venv/.runtime || policy/.venv/bin/python -c '' 2>/dev/null || rm -rf policy/.venv)

# Packages are installed by uv where it can be had, by pip otherwise; into .venv, or the environment that is named.
define install
@echo "Installing $(1) ..." >&2; \
if uv --version >/dev/null 2>&1; then uv pip install --quiet --python $(or $(3),$(PYTHON)) $(2); \
elif .venv/bin/uv --version >/dev/null 2>&1; then .venv/bin/uv pip install --quiet --python $(or $(3),$(PYTHON)) $(2); \
else $(or $(3),$(PYTHON)) -m pip install --quiet --disable-pip-version-check $(2); fi
endef

help: ## Show this
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-12s %s\n", $$1, $$2 }'

setup: .venv/.project policy/.venv/.runtime ## Make .venv and policy/.venv, get Pulumi's engine; silent where nothing is to do
	@$(PYTHON) -m sandbox setup >/dev/null

demo: setup ## Connect a bucket to Dataloop in the sandbox, prove it, and take it all away again
	@$(PYTHON) -m sandbox.demo

test: .venv/.dev setup ## Check format, lint, types and layers, then run every test
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	$(PYTHON) -m pytest --dist worksteal -n $$($(PYTHON) -c 'import os; print(os.cpu_count() + 1)')  # some wait

drill: .venv/.dev setup ## Larger runs than those of `make test`: fleets that fail and are killed; SEED=N varies when
	$(PYTHON) -m pytest -n 0 -s drills

bench: setup ## Run the benchmarks, each in a world of its own; docs/ tells what they showed
	@for file in benchmarks/[a-z]*.py; do \
	    echo; echo "# $$file"; $(PYTHON) -m "benchmarks.$$(basename "$$file" .py)" || exit 1; \
	done

docs: .venv/.dev .venv/.project ## Generate the references of the Python API and the commands, and the schema of records
	$(PYTHON) docs/reference.py
	$(PYTHON) docs/commands.py
	$(PYTHON) -m automation.schema > docs/connection.schema.json

format: .venv/.dev ## Format the code, and mend what the linter can
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lock: ## Compile requirements*.txt from pyproject.toml; UPGRADE=1 takes the newest versions (needs uv)
	uv pip compile $(LOCK) --extra sandbox pyproject.toml -o requirements.txt
	uv pip compile $(LOCK) --extra sandbox --extra dask --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	uv pip compile $(LOCK) policy/requirements.in -o policy/requirements.txt

LOCK := --quiet --universal --python-version 3.11 --no-header --no-emit-index-url $(if $(UPGRADE),--upgrade)

clean: ## Stop this checkout's sandbox; remove it, both environments and caches (the user's cache folder stays)
	@if [ -x $(PYTHON) ] && [ -d .sandbox ]; then $(PYTHON) -m sandbox down || true; fi
	rm -rf .venv policy/.venv .sandbox .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist *.egg-info

# Each file stands for a finished step, and is written last: an interrupted step is done again.
.venv/.created:
	@rm -rf .venv; \
	for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	    if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$${python:-}" ]; then \
	    echo "No Python 3.11 or newer on PATH (python3, python3.11 ...): install one, and run this again." >&2; exit 1; \
	fi; \
	if uv --version >/dev/null 2>&1; then uv venv --quiet --no-project --python "$$($$python -c 'import sys; print(sys.executable)')" .venv; \
	elif "$$python" -m venv .venv; then $(PYTHON) -m pip install --quiet --disable-pip-version-check uv || true; \
	else echo "$$python cannot make a virtual environment: install its venv module (python3-venv), or uv." >&2; exit 1; fi
	@touch $@

.venv/.runtime: requirements.txt | .venv/.created
	$(call install,requirements.txt,-r requirements.txt)
	@touch $@

.venv/.dev: requirements-dev.txt requirements.txt | .venv/.created
	$(call install,requirements-dev.txt,-r requirements-dev.txt)
	@touch .venv/.runtime $@

.venv/.project: pyproject.toml .venv/.runtime
	$(call install,the project,--no-deps --editable .)
	@touch $@

# The policy pack's own, since pulumi-policy wants an older protobuf: docs/policies.md.
policy/.venv/.runtime: policy/requirements.txt | .venv/.created
	@rm -rf policy/.venv
	@if uv --version >/dev/null 2>&1; then uv venv --quiet --no-project --python $(PYTHON) policy/.venv; \
	elif .venv/bin/uv --version >/dev/null 2>&1; then .venv/bin/uv venv --quiet --no-project --python $(PYTHON) policy/.venv; \
	else $(PYTHON) -m venv policy/.venv; fi
	$(call install,policy/requirements.txt,-r policy/requirements.txt,policy/.venv/bin/python)
	@touch $@
