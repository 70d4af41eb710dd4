# `make demo` and `make test` are each enough on a fresh clone: python3 (3.11 or later) with venv and pip, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# An option only if there is a value for it.
given = $(if $(2),--$(1) '$(2)')

.DELETE_ON_ERROR:
.PHONY: demo test lint types bench bench-live soak pcaps pcaps-check rules clean

demo: $(VENV)/.runs ## replay the captures of pcaps/ with the demo site
	$(BIN)/reconwatch replay pcaps/*.pcap --site pcaps/demo-site.yaml --format table

test: $(VENV)/.tests lint types ## every gate there is
	$(BIN)/python -m pytest

lint: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.tests
	$(BIN)/mypy

bench: $(VENV)/.benches ## measure beside other programs; RUNS= RECORDS= BENCH_DATA= CAPTURE= LOGS= ONLY= RESULTS=
	$(BIN)/python -m tests.bench $(call given,runs,$(RUNS)) $(call given,records,$(RECORDS)) \
	    $(call given,data,$(BENCH_DATA)) $(call given,capture,$(CAPTURE)) $(call given,logs,$(LOGS)) \
	    $(call given,only,$(ONLY)) $(call given,results,$(RESULTS))

bench-live: $(VENV)/.benches ## follow a log while it is written; EVE= RATE= SECONDS=
	$(BIN)/python -m tests.bench.live $(EVE) $(call given,rate,$(RATE)) $(call given,seconds,$(SECONDS))

soak: $(VENV)/.tests ## 24 hours of events through the service, memory and state measured; SOAK_SECONDS=120
	$(BIN)/python -m tests.soak

pcaps: $(VENV)/.tests ## make the captures anew, and their checksums in pcaps/manifest.yaml
	$(BIN)/python pcaps/gen

pcaps-check: $(VENV)/.tests ## fail if the generators no longer make what is checked in
	$(BIN)/python pcaps/gen --check

rules: $(VENV)/.runs ## make anew the rules of suricata-rules/, their ledger, and the data of zeek-scripts/catalog/
	for engine in 7 8; do $(BIN)/reconwatch rules build --shared-sids --engine $$engine \
	    --ledger sensor/reconwatch/rules/sids.ledger -o suricata-rules/suricata-$$engine || exit 1; done
	$(BIN)/reconwatch rules build --zeek --shared-sids -o zeek-scripts/catalog

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp says that the environment holds what pyproject.toml asked for when it was written.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "reconwatch needs Python 3.11 or later: make PYTHON=/path/to/python3.11 (here: $$($(PYTHON) --version 2>&1))" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	    { echo "$(PYTHON) cannot make virtual environments: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runs: pyproject.toml $(VENV)/.made
	$(PIP) install --editable .
	@touch $@

$(VENV)/.tests: pyproject.toml $(VENV)/.made
	$(PIP) install --editable '.[test]'
	@touch $@ $(VENV)/.runs

$(VENV)/.benches: pyproject.toml $(VENV)/.made
	$(PIP) install --editable '.[bench]'
	@touch $@ $(VENV)/.runs
