# The one door of the project. `make` alone lists what it can do.
#
#   PORT=8000        where `make run` answers
#   HOST=127.0.0.1   on which address; 0.0.0.0: for other machines too, and then with API keys
#   PYTHON=python3   the interpreter (3.11 or later) that .venv is made from

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

# Colours and progress bars are for terminals; pip need not look for a newer self.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The environment is ours alone, whatever else is active in the caller's shell.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

UV := $(BIN)/uv pip
INTO := --python $(BIN)/python
PACKAGES := obscura gateway_service face_detection_service lesion_detection_service photo_service photo_verification_service \
	plate_detection_service redaction_service video_service standalone
SOURCES := $(PACKAGES) tests test_detection.py test_blurring.py

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- setting up -----------------------------------------------------------------------------------
# Each step leaves a stamp in .venv and is done again only when what it depends on has changed.

.PHONY: setup
setup: $(VENV)/.run ## .venv with everything that `make run` needs

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
	@# The fast engine of the lossless splice, where there is a C compiler; without one a slower engine steps in.
	$(BIN)/python -m obscura.jpeg.build
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.lock
	$(UV) install $(INTO) --quiet --require-hashes -r requirements/test.lock
	@touch $@

.PHONY: setup-ultralytics
setup-ultralytics: $(VENV)/.ultralytics ## adds torch and ultralytics: `.pt` weights, GPUs, the parity test of all engines

# pip, not uv: it honours a find-links folder or index of the machine's own builds in pip's settings.
$(VENV)/.ultralytics: $(VENV)/.run requirements/torch.txt requirements/ultralytics.txt
	$(BIN)/python -m pip install --quiet -r requirements/torch.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements/ultralytics.txt
	@touch $@

# --- running --------------------------------------------------------------------------------------

.PHONY: run
run: $(VENV)/.run ## the whole system on this machine, in the foreground (PORT=8000)
	@exec $(BIN)/obscura serve --host $(HOST) --port $(PORT)
# `exec` makes the server make's own child: the terminal's Ctrl-C reaches both, and a SIGTERM to make is
# passed on by make, which then waits until the server has stopped.

.PHONY: up
up: ## the same in containers, published on this machine only (PORT=8000)
	PORT=$(PORT) docker-compose up --build

# --- checking -------------------------------------------------------------------------------------

.PHONY: test
test: check ## every check and every test that takes less than minutes
	$(BIN)/pytest -m "not slow"

.PHONY: attacks
attacks: $(VENV)/.test ## tries to undo redactions and prints how far it gets (docs/explanation/privacy.md)
	$(BIN)/python -m benchmarks.attacks

.PHONY: bench
bench: $(VENV)/.test ## the whole system beside its floor, 2 megapixels (docs/explanation/performance.md names the others)
	$(BIN)/python -m benchmarks.whole
	$(BIN)/python -m benchmarks.growth latency
	$(BIN)/python -m benchmarks.growth boxes
	$(BIN)/python -m benchmarks.capacity

.PHONY: bench-peers
bench-peers: $(VENV)/.test ## speed and recall beside deface and a baseline of the seed's shape
	$(UV) install --quiet --target build/peers --no-deps deface onnx protobuf ml-dtypes tqdm imageio imageio-ffmpeg fastanpr
	$(BIN)/python -m benchmarks.beside

.PHONY: load
load: $(VENV)/.test ## locust with three kinds of users on a system of its own (HOST_URL=, USERS=10, LOAD_SECONDS=120)
	$(UV) install --quiet --target build/load -r requirements/load.txt
	$(BIN)/python -m benchmarks.load $(if $(HOST_URL),--host $(HOST_URL)) --users $(or $(USERS),10) --seconds $(or $(LOAD_SECONDS),120)

.PHONY: soak
soak: $(VENV)/.test ## 70 % of capacity for MINUTES=30: latency and memory by the minute, pictures in build/soak
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),30)

.PHONY: bench-splice
bench-splice: $(VENV)/.test ## CPU time of the lossless splice beside decode, blur and encode
	$(BIN)/python -m benchmarks.splice

.PHONY: test-slow
test-slow: $(VENV)/.test ## the tests that take minutes
	$(BIN)/pytest -m "slow and not chaos"

.PHONY: test-s3
test-s3: $(VENV)/.swift ## the tests of the storage against a real S3 server, which it installs in .venv/swift
	OBSCURA_SWIFT_VENV=$(CURDIR)/$(VENV)/swift $(BIN)/pytest tests/unit/storage tests/end_to_end/test_bucket.py

$(VENV)/.swift: $(VENV)/.test
	$(PYTHON) -m venv --clear $(VENV)/swift
	@# Newer setuptools lack pkg_resources, which its servers are found by.
	$(VENV)/swift/bin/pip install --quiet swift 'setuptools<81'
	@touch $@

.PHONY: chaos
chaos: $(VENV)/.test ## kills, freezes, fills up and starves a real system at full length: most of an hour
	$(BIN)/pytest -m chaos -p no:randomly tests/chaos

.PHONY: fuzz
fuzz: $(VENV)/.test ## schemathesis on every operation of the running system, 100 examples each (EXAMPLES=100)
	OBSCURA_FUZZ_EXAMPLES=$(or $(EXAMPLES),100) $(BIN)/pytest -m slow tests/end_to_end/test_fuzz.py

.PHONY: check
check: $(VENV)/.test ## style, types, imports, spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

.PHONY: format
format: $(VENV)/.test ## lays the code out and repairs what can be repaired
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# --- supply chain ---------------------------------------------------------------------------------

.PHONY: sbom
sbom: $(VENV)/.test ## bills of materials of what is installed where, in build/sbom (CycloneDX, from the locks)
	@mkdir -p build/sbom
	@for name in run gateway redaction detection lesion verification; do \
		PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements requirements/$$name.lock --output-reproducible \
			--pyproject pyproject.toml -o build/sbom/$$name.cdx.json && echo build/sbom/$$name.cdx.json; \
	done

.PHONY: release
release: $(VENV)/.test ## wheel, source, bills of materials, images where docker is, checksums: in dist (DRAFT=--draft)
	$(BIN)/python deploy/release.py check $(DRAFT)
	rm -rf dist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist
	rm -f dist/.gitignore
	$(MAKE) --no-print-directory sbom
	cp -r build/sbom dist/sbom
	$(BIN)/python deploy/release.py images dist
	$(BIN)/python deploy/release.py sums dist

# --- locks ----------------------------------------------------------------------------------------
# test.lock holds everything; the others are parts of it, with the same versions.

COMPILE := $(UV) compile $(INTO) --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" $(UPGRADE)
RUN_EXTRAS := --extra gateway --extra worker --extra verification --extra openvino --extra embedded --extra heic \
	--extra lesions --extra cad-sr --extra signing --extra tagging --extra video --extra tracing
# What every worker image has; each kind of worker adds to it (Dockerfile).
IMAGING_EXTRAS := --extra imaging --extra heic --extra signing

.PHONY: lock
lock: $(VENV)/.bootstrap ## writes requirements/*.lock anew (UPGRADE=--upgrade: with the newest versions)
	$(COMPILE) pyproject.toml requirements/bootstrap.in $(RUN_EXTRAS) --extra test --extra dev \
		-o requirements/test.lock
	$(COMPILE) -c requirements/test.lock requirements/bootstrap.in -o requirements/bootstrap.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml $(RUN_EXTRAS) -o requirements/run.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml --extra gateway -o requirements/gateway.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml --extra tracing -o requirements/tracing.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml $(IMAGING_EXTRAS) -o requirements/redaction.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml $(IMAGING_EXTRAS) --extra worker --extra openvino \
		-o requirements/detection.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml $(IMAGING_EXTRAS) --extra lesions -o requirements/lesion.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml --extra imaging --extra signing --extra openvino --extra video \
		-o requirements/video.lock
	$(COMPILE) -c requirements/test.lock pyproject.toml $(IMAGING_EXTRAS) --extra worker --extra verification --extra tagging \
		-o requirements/verification.lock
