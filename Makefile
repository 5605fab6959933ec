# One word each: setup run test lint bench docs soak.
#
# "make run" serves everything on port offset 8000 with its state in ./state.
# What a virtual environment is made from is older than its stamp when nothing changed,
# so a second run starts at once.

PYTHON ?= python3
OFFSET ?= 8000
STATE ?= ./state
JOBS ?= 2
SOAK_MINUTES ?= 60
ARGS ?=

RUN = .venv/bin
TEST = .venv-test/bin
SOURCES = netservices tests twisted benchmarks examples

.PHONY: setup run test lint types bench docs soak clean
.DELETE_ON_ERROR:

setup: .venv/.stamp .venv-test/.stamp

run: .venv/.stamp
	@exec $(RUN)/twistd -n --pidfile= netservices \
		--port-offset $(OFFSET) --state $(STATE) $(ARGS)

test: lint types
	$(TEST)/python -m twisted.trial tests.test_layers
	$(TEST)/python -m twisted.trial -j$(JOBS) tests

lint: .venv-test/.stamp
	$(TEST)/ruff check $(SOURCES)
	$(TEST)/ruff format --check --quiet $(SOURCES)
	$(TEST)/codespell $(SOURCES) docs etc news Makefile README.md

types: .venv-test/.stamp
	$(TEST)/mypy netservices

bench: .venv-test/.stamp
	@for name in start store logins files dns dns_transfers ftp http; do \
		echo "== $$name"; $(TEST)/python -m benchmarks.$$name || exit 1; done

docs: .venv-test/.stamp
	$(TEST)/python -m netservices.config.manual
	$(TEST)/python -m tests.rfc > docs/standards.md

# Everything again and again, with new random examples and more crashes each time: whole
# rounds, at least one, of which the last begins before SOAK_MINUTES are over.
soak: .venv-test/.stamp
	end=$$(($$(date +%s) + 60 * $(SOAK_MINUTES))); \
	while [ $$(date +%s) -lt $$end ]; do \
		CI=true NETSERVICES_SOAK=1 NETSERVICES_CRASH_ROUNDS=1000 \
			$(TEST)/python -m twisted.trial -j$(JOBS) tests || exit 1; done

clean:
	rm -rf .venv .venv-test build dist *.egg-info _trial_temp* .mypy_cache \
		.ruff_cache .pytest_cache .hypothesis twisted/plugins/dropin.cache

.venv/.stamp: setup.cfg pyproject.toml
	@PYTHON="$(PYTHON)" sh etc/make-venv .venv
	@echo "installing netservices into .venv"
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@$(RUN)/python -m compileall -q netservices twisted
	@touch $@

.venv-test/.stamp: setup.cfg pyproject.toml
	@PYTHON="$(PYTHON)" sh etc/make-venv .venv-test
	@echo "installing netservices and its tests into .venv-test"
	@$(TEST)/python -m pip install --quiet --disable-pip-version-check \
		--editable ".[test,lint]"
	@$(TEST)/python -m compileall -q netservices twisted
	@echo "fetching the tests of pyftpdlib into .venv-test"
	@$(TEST)/python -m tests.conformance.pyftpdlib_suite
	@touch $@
