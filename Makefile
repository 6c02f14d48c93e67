# Every command of the project. Each works as the first one in a fresh clone: it makes .venv when it is missing
# and installs into it what it needs, again only when pyproject.toml or constraints.txt have changed.
#
#   make PYTHON=python3.12 test      another interpreter (looked at only when .venv is made)
#   make JOBS=4 test                 more test processes
#   make DRUPE_TEST_AMQP=amqp://… test    a broker that runs already, instead of one that the tests start
#   make DRUPE_TEST_POSTGRES=postgresql://… test    likewise a database

JOBS ?= 3
export DRUPE_TEST_AMQP DRUPE_TEST_POSTGRES
unexport PYTHONDONTWRITEBYTECODE # else each of the thousand commands that the tests give would compile drupe
VENV := .venv
BENCH := .venv-bench
PEERS := .venv-peers
AIIDA := .venv-aiida
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
ifndef TOGETHER
.NOTPARALLEL:
endif

## What a newcomer needs

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
	    /^## / { printf "\n%s\n", substr($$0, 4) } \
	    /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(VENV)/.demo ## Compute the equation of state of seven metals, killed three times on the way (results in build/demo)
	@$(BIN)/python examples/equation_of_state/demo.py

.PHONY: test
test: ## Run everything that must hold: the checks, then all tests with branch coverage
	@$(MAKE) --no-print-directory --jobs TOGETHER=yes checked servers $(BENCH)/.plumpy $(AIIDA)/.drop-in
	@mkdir -p build/coverage
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --cov --cov-report=term --cov-report=html

.PHONY: test-aiida
test-aiida: $(VENV)/.dev $(AIIDA)/.drop-in ## Run AiiDA on the drop-in: all of it, with each broker, its daemon killed in between
	@tools/rabbitmq
	DRUPE_TEST_AIIDA=all $(BIN)/python -m pytest -n $(JOBS) tests/compat/aiida

.PHONY: check
check: format-check lint types layers spelling ## Run all that needs no test: format, lint, types, layers, spelling

.PHONY: bench
bench: $(VENV)/.demo $(VENV)/.dev $(BENCH)/.plumpy $(PEERS)/.services ## Measure drupe beside plumpy, kiwipy, DBOS and Celery, in one run
	@tools/rabbitmq
	@tools/postgresql
	@$(BIN)/python benchmarks/run.py

NUMBER ?= 10000

.PHONY: parked
parked: $(VENV)/.dev ## Have NUMBER=10000 processes wait in one worker: its memory, how soon one wakes, how fast all do
	@$(BIN)/python benchmarks/parked.py --number $(NUMBER)

PROGRAMS ?= 4
.PHONY: turns
turns: $(VENV)/.dev ## Have PROGRAMS=4 write into one SQLite file: how many steps they take, how long a commit waits
	@$(BIN)/python benchmarks/turns.py --programs $(PROGRAMS)

SECONDS ?= 60

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Feed all decoders with what nobody should send (SECONDS=60, SEED=… repeats a run)
	@$(BIN)/python -m fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

MINUTES ?= 1
STORE ?= sqlite
BROKER ?= local
CHAOS := WORKERS SLOTS PROCESSES KILLS FREEZES DRAINS RESTARTS DOWN CALLERS STEP LEASE DURABILITY SEED

.PHONY: chaos
chaos: $(VENV)/.dev ## Kill, freeze and restart workers at random (MINUTES=1 STORE=sqlite|postgresql BROKER=local|rabbitmq, SEED=… repeats a run)
	@[ "$(STORE)" != postgresql ] || tools/postgresql
	@[ "$(BROKER)" != rabbitmq ] || tools/rabbitmq
	@$(BIN)/python -m chaos --minutes $(MINUTES) --store $(STORE) --broker $(BROKER) \
	    $(foreach name,$(CHAOS),$(if $($(name)),--$(shell echo $(name) | tr A-Z a-z) $($(name))))

.PHONY: model
model: $(VENV)/.dev ## Search the model of ownership completely, then once more without each of its parts (about two minutes)
	@$(BIN)/python -m tests.model

.PHONY: docs
docs: $(VENV)/.docs ## Build the documentation (build/docs/index.html)
	$(BIN)/sphinx-build -W --keep-going --quiet -b html -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

.PHONY: clean
clean: ## Remove what was made, but for the environments in .venv*
	rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

## The parts of check and test

.PHONY: format
format: $(VENV)/.dev ## Format the code, and mend what the linter can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix --exit-zero --quiet

.PHONY: format-check
format-check: $(VENV)/.dev
	$(BIN)/ruff format --check

.PHONY: lint
lint: $(VENV)/.dev ## Look for mistakes (ruff)
	$(BIN)/ruff check

.PHONY: types
types: $(VENV)/.dev ## Check the types (mypy, strict)
	$(BIN)/mypy

.PHONY: layers
layers: $(VENV)/.dev ## Check that imports only go down (import-linter)
	$(BIN)/lint-imports --no-logo

.PHONY: spelling
spelling: $(VENV)/.dev ## Look for misspelt words (codespell)
	$(BIN)/codespell

.PHONY: unit
unit: $(VENV)/.dev ## Run the quick tests only, without coverage
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

## Housekeeping

.PHONY: hooks
hooks: $(VENV)/.dev ## Have git run the checks before each commit
	$(BIN)/pre-commit install

.PHONY: news
news: $(VENV)/.dev ## Show the changelog entry that the fragments in changes/ add up to
	$(BIN)/towncrier build --draft --version next

EXTRAS := demo,dev,docs,postgres,rabbitmq,telemetry,web

.PHONY: constraints
constraints: ## Write constraints.txt anew, with the newest releases that fit together
	rm -rf build/constraints
	tools/venv build/constraints --upgrade -e '.[$(EXTRAS)]'
	{ sed '/^#/!d' constraints.txt; build/constraints/bin/python -m pip freeze --exclude-editable; } > build/constraints.txt
	mv build/constraints.txt constraints.txt

# --- what `make test` makes ready, all at once -------------------------------------------------

# Collecting the tests also compiles them, once, instead of in each test process, where it is traced as well.
.PHONY: checked
checked: $(VENV)/.test
	@$(MAKE) --no-print-directory TOGETHER= check
	@mkdir -p build
	@$(BIN)/python -m compileall -q src compat/*/src
	@$(BIN)/python -m pytest --collect-only -qq >build/collected || { cat build/collected; exit 1; }

.PHONY: servers
servers:
	@tools/rabbitmq
	@tools/postgresql

# --- the environments ------------------------------------------------------------------------
# $(VENV)/.NAME says when drupe was last installed there with the extra NAME.

$(VENV)/.dev $(VENV)/.demo $(VENV)/.docs: $(VENV)/.%: pyproject.toml constraints.txt
	@tools/venv $(VENV) -c constraints.txt -e '.[$*]'
	@touch $@

# Two of them, installed in one go.
$(VENV)/.test: pyproject.toml constraints.txt
	@tools/venv $(VENV) -c constraints.txt -e '.[demo,dev]'
	@touch $(VENV)/.demo $(VENV)/.dev $@

# plumpy wants other releases of what drupe uses too, so it lives by itself.
$(BENCH)/.plumpy: benchmarks/plumpy.txt
	@tools/venv $(BENCH) -r $<
	@touch $@

$(PEERS)/.services: benchmarks/peers.txt
	@tools/venv $(PEERS) -r $<
	@touch $@

# AiiDA as its users have it, but for the two libraries.
$(AIIDA)/.drop-in: tests/compat/aiida/requirements.txt pyproject.toml compat/kiwipy/pyproject.toml compat/plumpy/pyproject.toml
	@tools/venv $(AIIDA) -r $< -e . -e 'compat/kiwipy[rmq]' -e compat/plumpy
	@touch $@
