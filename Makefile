# `make` alone lists all targets.
#
#   PORT=8000        port of `make run` and `make up`
#   HOST=127.0.0.1   address it listens on; 0.0.0.0: reachable from other machines, with API keys
#   PYTHON=python3   interpreter (3.11 or later) that creates .venv

PORT   ?= 8000
HOST   ?= 127.0.0.1
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# One shell per recipe line, and a failure inside a pipe counts.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# pip need not check for a newer version of itself.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Ignore a virtual environment that is active in the caller's shell.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

UV := $(BIN)/uv pip
INTO := --python $(BIN)/python

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- setting up -----------------------------------------------------------------------------------
# Each step writes a stamp file into .venv and runs again only when its inputs have changed.

.PHONY: setup
setup: $(VENV)/.run ## create .venv with what `make run` needs

$(VENV)/.bootstrap: requirements/bootstrap.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Obscura needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
		echo "Name another one: make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' lacks venv or ensurepip. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(BIN)/python -m ensurepip >/dev/null
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.lock
	@touch $@

$(VENV)/.run: $(VENV)/.bootstrap requirements/run.lock pyproject.toml $(wildcard obscura/jpeg/native/*)
	$(UV) install $(INTO) --quiet --require-hashes -r requirements/run.lock
	$(UV) install $(INTO) --quiet --no-deps --no-build-isolation --editable .
	@# The C engine of the lossless splice, where there is a compiler; without one the numpy engine is used.
	$(BIN)/python -m obscura.jpeg.build
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.lock requirements/client-generator.txt
	$(UV) install $(INTO) --quiet --require-hashes -r requirements/test.lock
	$(UV) install $(INTO) --quiet --require-hashes --no-deps -r requirements/client-generator.txt
	@touch $@

.PHONY: setup-ultralytics
setup-ultralytics: $(VENV)/.ultralytics ## add torch and ultralytics: `.pt` weights, the test that compares all engines

# pip, not uv: pip's settings may name an index or folder with builds of torch for this machine.
$(VENV)/.ultralytics: $(VENV)/.run requirements/torch.txt requirements/ultralytics.txt
	$(BIN)/python -m pip install --quiet -r requirements/torch.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements/ultralytics.txt
	@touch $@

# --- running --------------------------------------------------------------------------------------

.PHONY: run
run: $(VENV)/.run ## run the whole system in the foreground (PORT=8000)
	@exec $(BIN)/obscura serve --host $(HOST) --port $(PORT)
# `exec` makes the server a direct child of make: Ctrl-C in the terminal reaches both, and make passes a SIGTERM on
# and waits until the server has stopped.

.PHONY: up
up: ## run it in containers, published on this machine only (PORT=8000)
	PORT=$(PORT) docker-compose up --build

# --- checking -------------------------------------------------------------------------------------

.PHONY: test
test: check ## run all checks, then all tests but the slow ones
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow"

.PHONY: attacks
attacks: $(VENV)/.test ## run the attacks on redacted pictures (docs/explanation/privacy.md)
	$(BIN)/python -m benchmarks.attacks

.PHONY: bench
bench: $(VENV)/.test ## compare the whole system with the least possible cost, 2 megapixels (docs/explanation/performance.md)
	$(BIN)/python -m benchmarks.whole
	$(BIN)/python -m benchmarks.growth latency
	$(BIN)/python -m benchmarks.growth boxes
	$(BIN)/python -m benchmarks.capacity

.PHONY: bench-peers
bench-peers: $(VENV)/.test ## compare speed and recall with deface and with a baseline of the legacy design
	$(UV) install --quiet --target build/peers --no-deps deface onnx protobuf ml-dtypes tqdm imageio imageio-ffmpeg fastanpr
	$(BIN)/python -m benchmarks.beside

.PHONY: load
load: $(VENV)/.test ## run a load test with locust on a system of its own (HOST_URL=, USERS=10, LOAD_SECONDS=120)
	$(UV) install --quiet --target build/load -r requirements/load.txt
	$(BIN)/python -m benchmarks.load $(if $(HOST_URL),--host $(HOST_URL)) --users $(or $(USERS),10) --seconds $(or $(LOAD_SECONDS),120)

.PHONY: soak
soak: $(VENV)/.test ## run at 70 % of capacity for MINUTES=30; plots latency and memory into build/soak
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),30)

.PHONY: bench-splice
bench-splice: $(VENV)/.test ## compare the lossless splice with decoding, blurring and encoding
	$(BIN)/python -m benchmarks.splice

.PHONY: bench-page
bench-page: $(VENV)/.test ## measure the page in Chromium: first load, frames while somebody works on 100 photos
	$(BIN)/python -m benchmarks.page

.PHONY: test-slow
test-slow: $(VENV)/.test ## run the tests that take minutes
	$(BIN)/pytest -m "slow and not chaos"

.PHONY: test-s3
test-s3: $(VENV)/.swift ## test the storage against a real S3 server, installed in .venv/swift
	OBSCURA_SWIFT_VENV=$(CURDIR)/$(VENV)/swift $(BIN)/pytest tests/unit/storage tests/end_to_end/test_bucket.py

$(VENV)/.swift: $(VENV)/.test
	$(PYTHON) -m venv --clear $(VENV)/swift
	@# swift finds its servers by pkg_resources, which newer setuptools lack.
	$(VENV)/swift/bin/pip install --quiet swift 'setuptools<81'
	@touch $@

.PHONY: chaos
chaos: $(VENV)/.test ## run the failure tests at full length: kills, freezes, full disks, no memory (an hour)
	$(BIN)/pytest -m chaos -p no:randomly tests/chaos

.PHONY: fuzz
fuzz: $(VENV)/.test ## fuzz every operation of a running system with schemathesis (EXAMPLES=100 each)
	OBSCURA_FUZZ_EXAMPLES=$(or $(EXAMPLES),100) $(BIN)/pytest -m slow tests/end_to_end/test_fuzz.py

.PHONY: check
check: $(VENV)/.test ## check style, types, imports and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

.PHONY: format
format: $(VENV)/.test ## format the code and fix what can be fixed automatically
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# --- supply chain ---------------------------------------------------------------------------------

.PHONY: sbom
sbom: $(VENV)/.test ## write a bill of materials for each image into build/sbom (CycloneDX)
	@mkdir -p build/sbom
	@for name in run gateway redaction detection lesion verification video tracing; do \
		PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements requirements/$$name.lock --output-reproducible \
			--pyproject pyproject.toml -o build/sbom/$$name.cdx.json && echo build/sbom/$$name.cdx.json; \
	done

.PHONY: release
release: $(VENV)/.test ## build wheel, source, bills of materials, images and checksums into dist (DRAFT=--draft)
	$(BIN)/python deploy/release.py check $(DRAFT)
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
	rm -f dist/.gitignore
	$(MAKE) --no-print-directory sbom
	cp -r build/sbom dist/sbom
	$(BIN)/python deploy/release.py images dist
	$(BIN)/python deploy/release.py sums dist

# --- locks ----------------------------------------------------------------------------------------
# test.lock contains all packages; the other locks are subsets with the same versions.

COMPILE := $(UV) compile $(INTO) --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" $(UPGRADE)
EXTRAS := --extra all
RUN_EXTRAS := --extra server --extra tracing --extra codes --extra text
# What every worker image installs; each kind of worker adds to it (Dockerfile).
WORKER := --extra jobs --extra heic --extra signing

.PHONY: lock
lock: $(VENV)/.bootstrap ## resolve requirements/*.lock again (UPGRADE=--upgrade: with the newest versions)
	$(COMPILE) pyproject.toml requirements/bootstrap.in $(EXTRAS) --extra test --extra dev \
		-o requirements/test.lock
	$(COMPILE) -c requirements/test.lock requirements/bootstrap.in -o requirements/bootstrap.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml $(RUN_EXTRAS) -o requirements/run.lock
	@# The gateway opens no picture and most workers run no network: they leave out packages of the plain install.
	$(COMPILE) -c requirements/test.lock --override requirements/without-pictures.txt pyproject.toml --extra gateway \
		-o requirements/gateway.lock
	$(COMPILE) -c requirements/test.lock --override requirements/without-pictures.txt pyproject.toml --extra jobs --extra tracing \
		-o requirements/tracing.lock
	$(COMPILE) -c requirements/test.lock --override requirements/without-networks.txt pyproject.toml $(WORKER) \
		-o requirements/redaction.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml $(WORKER) --extra openvino --extra codes --extra text \
		-o requirements/detection.lock
	$(COMPILE) -c requirements/test.lock --override requirements/without-networks.txt pyproject.toml $(WORKER) --extra dicom \
		-o requirements/lesion.lock
	$(COMPILE) -c requirements/test.lock --override requirements/without-networks.txt pyproject.toml --extra jobs --extra signing \
		--extra openvino --extra video -o requirements/video.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml $(WORKER) --extra verification -o requirements/verification.lock
