# Every job of this project has one command; `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || command -v python3)
LOCKS := deploy/requirements
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install compiled interpreted demo test check sbom audit bench simulate faults fuzz lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## virtual environment in .venv with everything locked, and the overgrowth command

# The lock is installed with its hashes and the project itself without asking the index for anything more.
$(STAMP): pyproject.toml $(LOCKS)/development.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: expected Python 3.11 or later, found '$(PYTHON)'; say which one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	  echo "make: no virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing the locked packages into $(VENV) (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCKS)/development.txt
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# What is compiled has the age of the sources at the begin, so an edit meanwhile is noticed (agents/compiled_core.py).
compiled: install interpreted ## compile what runs for every signal, beside its sources (some minutes); wants a C compiler
	@mkdir -p build && touch build/begun
	@OVERGROWTH_COMPILE=1 $(BIN)/python setup.py --quiet build_ext --inplace
	@find streams -name '*.so' -exec touch -r build/begun {} +

interpreted: ## remove what was compiled
	@rm -rf build
	@find streams -name '*.so' -delete

demo: install ## watch a community outgrow a brand's topic: embedded Kafka and Valkey, a worker, a season
	@$(BIN)/overgrowth demo

test: install ## the whole test suite, on all cores
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: install sbom ## lint (with rules of security), format, types, tidy, what is shipped
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_tidy.py tests/deploy/test_supply_chain.py

sbom: install ## what an installation is made of, as CycloneDX, in build/sbom.cdx.json
	@mkdir -p build
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml \
	  --output-file build/sbom.cdx.json $(LOCKS)/runtime.txt

# What it says of a package goes to stdout, so where it fails without a word there nobody was asked.
audit: install ## known vulnerabilities of all that is locked; needs the network, and fails where it has none
	@mkdir -p build
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off --vulnerability-service osv \
	  --requirement $(LOCKS)/development.txt >build/audit.txt 2>build/audit.log; status=$$?; \
	if [ $$status -eq 0 ]; then echo "make audit: no known vulnerabilities"; \
	elif [ -s build/audit.txt ]; then cat build/audit.txt; exit 1; \
	else echo "make audit: NOTHING WAS AUDITED: expected an answer of the service of known vulnerabilities, got none" \
	  "(build/audit.log says why); run it where the network reaches it" >&2; exit 1; fi

bench: install ## benchmarks, side by side in one run, as ratios (REPORT=folder writes a dated report, CHECK=report.json compares)
	@$(BIN)/python -m tests.benchmarks $(if $(REPORT),--report $(REPORT)) $(if $(CHECK),--check $(CHECK))

simulate: install ## seeded fault simulation against the oracle
	@$(BIN)/python -m tests.simulation

faults: install ## real workers killed, paused, cut off under load, against the oracle (KILLS=200, KAFKA=embedded|real)
	@$(BIN)/python -m tests.faults --kills $(or $(KILLS),20) --kafka $(or $(KAFKA),embedded)

fuzz: install ## a million mutated payloads into every decoder (PAYLOADS=n)
	@$(BIN)/python -m tests.fuzz --payloads $(or $(PAYLOADS),1000000)

lock: install ## write the locks anew after a change of pyproject.toml (newest versions: make lock UPGRADE=--upgrade)
	@for lock in 'development --extra local --extra dev pyproject.toml' 'runtime pyproject.toml' 'build --group build'; do \
	  set -- $$lock; name=$$1; shift; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UPGRADE) \
	    --custom-compile-command 'make lock' --output-file $(LOCKS)/$$name.txt "$$@" || exit 1; \
	done

clean: interpreted ## remove what was made here: environment, caches, build output
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find schemas streams agents tests -name __pycache__ -type d -prune -exec rm -rf {} +
