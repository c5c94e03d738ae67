# Everything sets itself up: the first command makes a virtual environment (or uses the active one).
PYTHON ?= python3
VENV ?= $(or $(VIRTUAL_ENV),.venv)
BIN := $(VENV)/bin
READY := $(VENV)/.wayline-ready
EVENTS ?= 2000000
ARGS ?=

.PHONY: demo test lint bench chart clients soak format

demo: $(READY)  ## the main job, narrated; serves until Ctrl-C (ARGS=--once ends by itself)
	$(BIN)/wayline demo $(ARGS)

test: $(READY)  ## all tests that need nothing but Python
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not clients" $(ARGS)

clients: $(READY)  ## every SQL client against a served home, as docs/clients.md shows; installs them (Debian, npm, pip)
	tests/clients/install.sh
	@mkdir -p build
	$(BIN)/python -m pytest -n 2 -m matrix --junitxml build/clients.xml $(ARGS); \
		status=$$?; $(BIN)/python -m tests.clients.matrix build/clients.xml; exit $$status
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "clients and not matrix" $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY)  ## every benchmark beside its peer; EVENTS=20000000 for the large size
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	$(BIN)/python -m benchmarks --events $(EVENTS) $(ARGS)

chart: $(READY)  ## docs/report-time.svg: the report's time against the number of events
	$(BIN)/python -m benchmarks.chart $(ARGS)

soak: $(READY)  ## the fault suites, whole: every case killed at 20 instants, 100,000 mutated messages
	WAYLINE_FAULT_SEEDS=20 WAYLINE_FUZZ_MESSAGES=100 $(BIN)/python -m pytest -m faults $(ARGS)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "wayline needs Python 3.11 or later; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@
