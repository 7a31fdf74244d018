# Every target sets up what it needs, in a fresh clone as well; `make` alone lists them.
.DEFAULT_GOAL := help
.NOTPARALLEL:

# Looked up only when .venv is made: the machine's first Python that is new enough.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin
MANAGE := LOYALTY_MODE=test $(BIN)/python manage.py
COMPILE := $(BIN)/uv pip compile --quiet --system-certs --universal --generate-hashes \
	--custom-compile-command 'make requirements'

.PHONY: help setup demo demo-key test long next harness harness-api mutants reconcile-check check \
	format screenshots bench bench-money bench-redeem bench-sales bench-quota bench-backlog \
	requirements webhooks-fuzz

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## Make .venv and install what requirements-dev.txt pins
	@python=$(PYTHON); test -n "$$python" || { \
		echo 'Python 3.11 or newer is needed. Type: sudo apt-get install python3' >&2; exit 1; }; \
	$$python scripts/setup_venv.py

demo: setup  ## Run the panel, its worker and a sandbox engine with made-up customers
	@$(BIN)/python scripts/demo.py

test: setup  ## Run all tests: on SQLite, in the browser, on PostgreSQL, then read what they wrote
	@$(BIN)/python scripts/run_tests.py test

long: setup  ## Run what `make test` shows once in all its variants (Firefox, every cookie policy, 1,000 keys)
	@$(BIN)/python scripts/run_tests.py long

next: setup  ## Run the quick tests on the next Python and Django
	@$(BIN)/python scripts/run_tests.py next

harness: setup  ## Random histories while processes are killed (n=2000, seed=, databases=sqlite,postgres)
	@PYTHONPATH=scripts $(BIN)/python -m tests.harness $(foreach word,n seed only keys databases, \
		$(if $($(word)),--$(word) $($(word))))
	@$(if $(only),,$(MAKE) --no-print-directory harness-api)

harness-api: setup  ## The last part of it: calls drawn from the API's own description (calls=10000, seed=)
	@PYTHONPATH=scripts $(BIN)/python -m tests.openapi $(foreach word,calls seed, \
		$(if $($(word)),--$(word) $($(word))))

demo-key: setup  ## Print a new API key for the running demo; the one printed before it ends
	@LOYALTY_MODE=demo DATABASE_URL=sqlite:///$(abspath $(or $(DEMO_DATA),var/demo))/panel.sqlite3 \
		$(BIN)/python manage.py demo_api_key

mutants: setup  ## Take out each rule in a copy: the slice of `harness` must fail (only=word; 15 minutes)
	@PYTHONPATH=scripts $(BIN)/python -m tests.harness.mutants $(if $(only),--only "$(only)")

reconcile-check: setup  ## Sow 100 differences of each kind among 10,000 members: all found, none invented
	@LOYALTY_MODE=test PYTHONPATH=scripts $(BIN)/python -m pytest -m storm tests/reconciliation

check: setup  ## Check style, types, import direction, migrations, deployment and diagrams
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	LOYALTY_MODE=test $(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(MANAGE) makemigrations --check --dry-run
	$(BIN)/python scripts/check_deploy.py
	$(MANAGE) draw_states --check

format: setup  ## Put the code into the shape that `check` asks for
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

screenshots: setup  ## Take the pictures of the docs again
	$(BIN)/python scripts/screenshots.py
	$(BIN)/python scripts/till_pictures.py
	$(BIN)/python scripts/people_pictures.py

bench: setup  ## Measure a look-up beside the engine and beside a naive view (about 10 minutes)
	@PYTHONPATH=scripts $(BIN)/python -m bench.look_up $(if $(quick),--quick)

bench-money: bench-redeem bench-sales bench-quota bench-backlog  ## Measure redemptions, sales and deliveries (about 40 minutes)

bench-redeem: setup  ## Redemptions a second beside a bare view; what safety from a power cut costs
	@PYTHONPATH=scripts $(BIN)/python -m bench.redeem $(if $(quick),--quick)

bench-sales: setup  ## Sales a second beside a bare view that inserts a row
	@PYTHONPATH=scripts $(BIN)/python -m bench.sales $(if $(quick),--quick)

bench-quota: setup  ## Deliveries to the engine's quota, and 429s (seconds=60, workers=2)
	@PYTHONPATH=scripts $(BIN)/python -m bench.quota $(foreach word,seconds workers, \
		$(if $($(word)),--$(word) $($(word))))

bench-backlog: setup  ## A backlog of 100,000 drains beside look-ups (minutes=10, orders=, databases=)
	@PYTHONPATH=scripts $(BIN)/python -m bench.backlog $(foreach word,minutes orders databases, \
		$(if $($(word)),--$(word) $($(word))))

requirements: setup  ## Pin what requirements*.in ask for (upgrade=1 takes the newest)
	$(COMPILE) $(if $(upgrade),--upgrade) --python-version 3.11 requirements.in -o requirements.txt
	$(COMPILE) $(if $(upgrade),--upgrade) --python-version 3.11 --constraint requirements.txt \
		requirements-dev.in -o requirements-dev.txt
	$(COMPILE) $(if $(upgrade),--upgrade) --python-version 3.13 --overrides requirements-next.in \
		requirements-test.in -o requirements-next.txt

webhooks-fuzz: setup  ## 10,000 mutated webhooks (n=10000): no 500, and nothing changes that should not
	@LOYALTY_MODE=test WEBHOOK_EXAMPLES=$(or $(n),10000) $(BIN)/python -m pytest \
		tests/webhooks/test_mutated.py -q -p no:randomly
