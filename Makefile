# Everything from nothing but python3 (3.11 or newer) and make: `make demo`, `make test`.
# Another interpreter: `make PYTHON=python3.12 demo`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO := build/demo
# Processes that share the files of tests: each compiles on its own, and what the tests of a file share once. More of them
# than cores do not pay; nor do threads of BLAS.
JOBS ?= 2
PYTEST = OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile
# Most of the time of most tests is compilation: what one process has compiled serves all, and the next run.
CACHE = JAX_COMPILATION_CACHE_DIR=$(CURDIR)/build/jax-cache JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.1
# Compiling takes two thirds of the time if XLA emits fusions in the older of its two ways, which JAX 0.12 has no more, and
# optimizes little: what is computed is the same up to rounding. Both are a part of the key of what is kept above.
OLDER = --xla_cpu_use_fusion_emitters=false
OLDER_FUSIONS = $$(XLA_FLAGS=$(OLDER) JAX_PLATFORMS=cpu $(BIN)/python -c 'import jax; jax.devices()' 2>/dev/null && echo $(OLDER))
QUICK_COMPILER = XLA_FLAGS="$(XLA_FLAGS) $(OLDER_FUSIONS) --xla_backend_optimization_level=1"
# Every format and number, without the models: a few minutes of other versions of Python and packages.
QUICK_TESTS = tests/stats tests/likelihood tests/data tests/io tests/optimize tests/hypotest tests/two_sample tests/cli/test_run.py
# Folders of numbers, whose arrays are held against the annotations of nplm (tests/type_checks.py). Those of commands, files,
# pages and the documentation are not among them, as what starts nplm as a process has no checks; nor are files that take
# long to repeat what others call as well.
TYPED_TESTS = $(addprefix tests/,calibration channels config cuts data family hunt hypotest learning likelihood localization measure models \
	monitor/test_family_shape.py monitor/test_finite_shape.py nuisance optimize plot sensitivity stats toys two_sample util wording)
UNTYPED_TESTS = $(addprefix --ignore=tests/,$(addprefix models/test_,compilation.py in_coordinates.py invariance.py model_from_outside.py) \
	nuisance/test_minima.py $(addprefix hypotest/test_,impact.py multiple.py size.py yields.py) sensitivity/test_closure.py \
	stats/test_goodness_of_fit_weighted_chi2.py toys/engines toys/test_samplers_of_parts.py two_sample/test_asymptotic.py)

.DEFAULT_GOAL := help
.PHONY: help venv demo picture test test-all test-slurm test-quick test-types test-oldest lint format benchmarks docs notebooks experiments clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

venv: $(INSTALLED) ## make the virtual environment .venv

$(INSTALLED): pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON): install Python 3.11 or newer, or say which one to use: make PYTHON=/path/to/python3.12"; exit 1; }
	@"$(PYTHON)" -c 'import platform, sys; sys.version_info >= (3, 11) or sys.exit("nplm needs Python 3.11 or newer, but $(PYTHON) is " + platform.python_version() + ". Say which one to use: make PYTHON=python3.12")'
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

demo: $(INSTALLED) ## test a file with an injected signal against a reference by the family and by a network, and write reports
	$(BIN)/python -m toys.demo $(DEMO)
	$(BIN)/nplm test $(DEMO)/data.npz --reference $(DEMO)/reference.npz --features x --weights weight --force -o $(DEMO)/run
	@echo; echo "Beside it the network, with 50 toys (a minute):"; echo
	$(BIN)/nplm test $(DEMO)/data.npz --reference $(DEMO)/reference.npz --features x --weights weight --model network --clip 7 --toys 50 --seed 1 --force -o $(DEMO)/network

picture: demo ## draw the picture of the README from the demonstration
	$(BIN)/python -m toys.picture docs/images/demo.png $(DEMO)/run/plots/leading.png $(DEMO)/run/plots/null.png

test: $(INSTALLED) ## run the tests, without the slow studies
	$(CACHE) $(QUICK_COMPILER) $(PYTEST) -m "not slow"

test-all: $(INSTALLED) ## run all tests, statistical studies of minutes included
	$(PYTEST) --timeout 14400

test-quick: $(INSTALLED) ## run a part of the tests; of another Python: make PYTHON=python3.12 VENV=.venv-3.12 test-quick
	$(CACHE) $(QUICK_COMPILER) $(PYTEST) -m "not slow" $(QUICK_TESTS)

test-types: $(INSTALLED) ## run tests of numbers, and hold arrays against the annotations of nplm
	$(CACHE) $(QUICK_COMPILER) $(PYTEST) -m "not slow and not wrong_arrays" -p tests.type_checks $(TYPED_TESTS) $(UNTYPED_TESTS)

test-oldest: ## run a part of the tests with the oldest packages that pyproject.toml allows
	$(MAKE) VENV=.venv-oldest .venv-oldest/.oldest
	$(MAKE) VENV=.venv-oldest INSTALLED= test-quick

# Packages that those of pyproject.toml need in their turn are new: theirs is not ours to promise.
.venv-oldest/.oldest: pyproject.toml
	"$(PYTHON)" -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-oldest/bin/uv pip install --quiet --python .venv-oldest/bin/python --resolution lowest-direct --editable ".[dev]"
	@touch $@

test-slurm: $(INSTALLED) ## run the programs of docs/clusters on a SLURM of one node; as root on Debian, whose packages it installs
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -m slurm tests/slurm

lint: $(INSTALLED) ## check style, format, types, and which module imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(INSTALLED) ## put the code into the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmarks: $(INSTALLED) ## measure speed and quality of the fits (minutes)
	$(BIN)/python -m experiments.benchmarks

docs: $(INSTALLED) ## build the documentation as a site, strictly: build/site/index.html
	$(BIN)/mkdocs build --strict --quiet

notebooks: $(INSTALLED) ## run the tutorials, and write their outputs into notebooks/*.ipynb (minutes)
	$(BIN)/python -m notebooks

experiments: $(INSTALLED) ## reproduce published figures with few toys (minutes); in full: python -m experiments
	$(BIN)/python -m experiments --short

clean: ## remove the virtual environment and everything that is built
	rm -rf $(VENV) .venv-oldest build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
