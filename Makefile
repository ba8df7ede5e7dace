# Every target sets up what it needs. Start with `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
JOBS   ?= 2
BIN    := .venv/bin
PY     := $(BIN)/python

# ptf has no types: its base classes and decorators are Any.
PTF_TYPES = --allow-subclassing-any --allow-untyped-decorators

# Checked apart from ptf_tests: both have a conftest.py, and neither is a package.
SCRIPTS = $(wildcard tools/*.py tests/*.py pipeline/*.py examples/*.py benchmarks/*.py conformance/*.py)
TYPED   = sim controlplane traffic $(patsubst %/,%,$(sort $(dir $(SCRIPTS))))

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Make .venv with p4nic and its tools (instant the second time)
	@$(PYTHON) tools/setup_venv.py

.PHONY: setup-dpdk
setup-dpdk: ## Install DPDK's development files with apt, for --backend swx (needs root, about 100 MB)
	@$(PYTHON) tools/setup_dpdk.py

.PHONY: run
run: setup ## Run the load balancer end to end and print the verdicts (PCAP=file replays a capture)
	@$(PY) examples/run_shop.py $(if $(PCAP),--pcap $(PCAP))

.PHONY: test
test: setup ## Run everything that must pass (TESTS="path -k name" for a part, JOBS=n workers)
	@$(PY) -m pytest -q -n $(JOBS) $(TESTS)

.PHONY: check
check: setup ## Format, lint, types, import contracts, sizes, names, machine paths
	@failed=(); \
	try() { echo "-- $$1"; shift; "$$@" || failed+=("$$*"); }; \
	try "format" $(BIN)/ruff format --quiet --check --output-format concise .; \
	try "lint" $(BIN)/ruff check --quiet --output-format concise .; \
	try "types" env MYPYPATH=tests:examples:benchmarks $(BIN)/mypy $(TYPED); \
	$(if $(wildcard ptf_tests/*.py),try "types of ptf_tests" env MYPYPATH=ptf_tests $(BIN)/mypy $(PTF_TYPES) ptf_tests;) \
	try "import contracts" $(BIN)/lint-imports --no-logo --cache-dir .import_linter_cache; \
	try "sizes, names, machine paths" env PYTHONPATH=tools $(PY) -m repocheck; \
	if [ $${#failed[@]} -gt 0 ]; then printf 'FAILED: %s\n' "$${failed[@]}"; exit 1; fi; \
	echo "check: all passed"

.PHONY: fmt
fmt: setup ## Format the code and fix what ruff can fix
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

.PHONY: ptf
ptf: setup ## Run the PTF suites with the ptf command (TESTBED=testbeds/swx.yaml, ARGS="..." are passed on)
	@$(PY) ptf_tests/run_ptf.py $(TESTBED) $(ARGS)

.PHONY: bench
bench: setup ## Measure everything next to other engines, write reports/bench/report.html (ARGS=--quick: 2 minutes)
	@$(PY) benchmarks/run.py $(ARGS)

.PHONY: pipeline
pipeline: setup ## Recompile the P4 program (needs p4c)
	@$(PY) pipeline/recompile.py

.PHONY: conformance
conformance: setup ## With P4C=checkout: p4c's corpora on every engine; without: the conformance tests
	@$(if $(P4C),$(PY) -m conformance "$(P4C)" --jobs $(JOBS) --out docs/conformance.md $(ARGS),$(PY) -m pytest -q -n $(JOBS) -m conformance)

.PHONY: fuzz
fuzz: setup ## Feed COUNT (100000) damaged artifacts to both loaders
	@$(PY) -m conformance.fuzz --count $(or $(COUNT),100000) --jobs $(JOBS) $(ARGS)

.PHONY: fuzz-server
fuzz-server: setup ## Send COUNT (100000) damaged requests to the P4Runtime server (SEED=n for others)
	@P4NIC_FUZZ=$(or $(COUNT),100000) $(if $(SEED),P4NIC_FUZZ_SEED=$(SEED)) $(PY) -m pytest -q -n $(JOBS) tests/test_server_fuzz.py

.PHONY: storm-server
storm-server: setup ## Writers, readers, packets, upgrades and takeovers at once for SECONDS (600), checked for one order
	@P4NIC_STORM=$(or $(SECONDS),600) $(PY) -m pytest -q -n $(JOBS) tests/test_server_serialisable.py -k one_order

.PHONY: fuzz-engines
fuzz-engines: setup ## Random programs and COUNT (1000000) packets, interpreter against native engine
	@$(PY) -m conformance.engine_fuzz --count $(or $(COUNT),1000000) --jobs $(JOBS) $(ARGS)

.PHONY: replay
replay: setup ## The C emitted for the whole corpus at commit BASE and now, compared (P4C=checkout for p4c's too)
	@test -n "$(BASE)" || { echo "make replay needs BASE=commit" >&2; exit 2; }
	@$(PY) -m conformance.replay "$(BASE)" --jobs $(JOBS) $(if $(P4C),--p4c "$(P4C)")

.PHONY: sanitize
sanitize: setup ## The native engine under ASan and UBSan: STF fixtures and COUNT (200000) random packets
	@$(PY) -m conformance.sanitized --count $(or $(COUNT),200000) --jobs $(JOBS) $(ARGS)

.PHONY: image
image: ## Build the runtime container image (needs docker)
	@command -v docker >/dev/null || { echo "make image needs docker, which is not installed here." >&2; exit 2; }
	docker build --target runtime --tag p4nic .

.PHONY: clean
clean: ## Remove everything that was generated, .venv included
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist reports
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
