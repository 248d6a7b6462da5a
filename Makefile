# Two commands do all the set-up on a bare clone with Python >= 3.11:
#   make quickstart    trains, fills and compares within five minutes
#   make test          runs the tests
# Another interpreter: make test PYTHON=python3.13

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
DOCS_STAMP := $(VENV)/.docs-stamp
PINS := setup.cfg pyproject.toml constraints.txt

QUICK := runs/quickstart
QUICK_OUT := $(QUICK)/evaluation
QUICK_SSDA := runs/quickstart_ssda

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help quickstart quickstart-ssda test test-faults scenarios check lint types doctest docs
.PHONY: check-wheel format constraints clean

help: ## Lists the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 …' >&2; \
	    exit 1; }
	$(PYTHON) -m venv $(VENV)

# Byte code is made of what is imported, when it is: half a minute saved. It
# must then be kept, or every start would cost two seconds more.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := -m pip install --quiet --no-compile -c constraints.txt

# The package itself is installed editable: an edit needs no new install.
$(STAMP): $(PINS) | $(BIN)/python
	$(BIN)/python $(INSTALL) -e '.[test]'
	@touch $@

$(DOCS_STAMP): $(PINS) $(STAMP)
	$(BIN)/python $(INSTALL) -e '.[test,docs]'
	@touch $@

quickstart: $(STAMP) ## Trains a small model on real photographs, compares it.
	$(BIN)/python -m experiments.context_encoder \
	  --flagfile=experiments/flags/quickstart.flags --workdir=$(QUICK)
	$(BIN)/python -m experiments.evaluate --workdir=$(QUICK) \
	  --data=photos:val --mask=center \
	  --baselines=mean,telea,ns,biharmonic --output=$(QUICK_OUT)

quickstart-ssda: $(STAMP) ## Trains a denoiser for a minute, compares it.
	$(BIN)/python -m experiments.ssda \
	  --flagfile=experiments/flags/ssda_quickstart.flags --workdir=$(QUICK_SSDA)
	$(BIN)/python -m experiments.evaluate --workdir=$(QUICK_SSDA) \
	  --data=photos:val --noise=gaussian --sigma=25 \
	  --output=$(QUICK_SSDA)/evaluation

# A file stays with one process, so that what is trained for it is trained once.
# In their order: files of few and long tests come early, and short ones fill up.
PARALLEL := -n logical --maxprocesses=8 --dist=loadfile --no-loadscope-reorder

test: $(STAMP) ## Runs the tests.
	$(BIN)/python -m pytest $(PARALLEL)

test-faults: $(STAMP) ## Kills, damage and bad input, for an hour.
	$(BIN)/python -m pytest tests/faults

scenarios: $(STAMP) ## What is seen of each fault: build/scenarios.md.
	mkdir -p build
	$(BIN)/python -m pytest -m scenario --scenarios=build/scenarios.md \
	  tests/faults tests/checkpoints tests/data tests/experiments tests/steps \
	  tests/test_images.py

check: lint types test doctest docs check-wheel ## Everything below and test.

lint: $(STAMP) ## ruff: rules and format.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## mypy.
	$(BIN)/mypy

doctest: $(STAMP) ## The examples in docstrings, README and docs.
	JAX_PLATFORMS=cpu $(BIN)/python -m pytest --doctest-modules \
	  --doctest-glob='*.md' inpaintax README.md docs

docs: $(DOCS_STAMP) ## Builds docs/_build/html; every warning is an error.
	rm -rf docs/_build docs/_api
	JAX_PLATFORMS=cpu $(BIN)/sphinx-build --fail-on-warning --keep-going \
	  --quiet docs docs/_build/html
	@! grep -rnE '<(script|link|img)[^>]+(src|href)="(https?:)?//' \
	  docs/_build/html --include='*.html' \
	  || { echo 'The pages load something from another host.' >&2; exit 1; }

# From another directory, so that nothing but the wheel can be imported.
check-wheel: $(STAMP) ## Builds the wheel, runs the tests against it.
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(PYTHON) -m venv build/venv
	build/venv/bin/python $(INSTALL) "$$(echo build/wheel/*.whl)[test]"
	mkdir build/elsewhere
	cd build/elsewhere && ../venv/bin/python -c \
	  'import inpaintax, experiments; assert all("site-packages" in m.__file__ for m in (inpaintax, experiments))'
	cd build/elsewhere && ../venv/bin/python -m pytest $(PARALLEL) '$(CURDIR)/tests'

format: $(STAMP) ## Formats the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Keeps the pins that still fit; make constraints UPGRADE=--upgrade renews all.
constraints: | $(BIN)/python ## Pins the whole tree in constraints.txt.
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	  --fork-strategy fewest --no-header --no-annotate --no-emit-index-url \
	  --all-extras $(UPGRADE) --output-file constraints.txt setup.cfg

clean: ## Removes what make built, the environment included; runs/ stays.
	rm -rf $(VENV) build docs/_build docs/_api .jax_cache *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache
