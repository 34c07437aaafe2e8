# Two commands for a new machine: `make demo` and `make test`. Both create .venv if it is missing.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# One thread for each test process: two processes with two threads each wait for each other (see CONTRIBUTING.md).
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

.PHONY: demo test site release-check test-docs test-services test-browser test-processes test-long test-zoo zoo networks mutations lint docs exports conformance conformance-fused slurm-packages browser-packages install clean

demo: $(READY)
	$(BIN)/poolab study run sweeps/demo.yaml --workers 2

test: lint
	$(PYTEST)

# Writes the site of docs/ to build/site, which is read from the disk: warnings are errors, and every link is followed.
site: $(READY)
	@$(BIN)/python -c 'import material, mkdocs, mkdocstrings' 2> /dev/null || $(BIN)/python -m pip install --quiet --editable ".[site]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	$(BIN)/python scripts/check_site.py build/site

# What a release needs: version, changelog, clean tree, sdist, the wheel in an empty environment, the site. Without
# QUICK=1 the empty environment gets its own torch: gigabytes.
release-check: $(READY) site
	$(BIN)/python scripts/release_check.py $(if $(QUICK),--quick)

# Runs every command and every Python block of the README and the pages of docs/, shrunk where it is long.
test-docs: $(READY)
	$(PYTEST) -m docs

# Tests with real servers, daemons and clients on loopback: SLURM (`make slurm-packages`), W&B's client and agent, Ray.
test-services: $(READY)
	$(PYTEST) -m services

# What needs processes of its own, or a minute: whole runs, studies that are killed and continued, the wheel.
test-processes: $(READY)
	$(PYTEST) -m processes

# Tests of a report's page in headless Chromium (`make browser-packages`); without Chromium they are skipped, with a reason.
test-browser: $(READY)
	$(PYTEST) -m browser

# Installs Chromium for these tests (as root, on Debian or Ubuntu); if that is impossible, they are skipped.
browser-packages:
	@command -v chromedriver > /dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends chromium chromium-driver > /dev/null; } || \
		echo "Chromium could not be installed: the tests of a report's page in a browser will be skipped"

# Tests that take minutes: every method's Triton kernels, interpreted and compiled for sm_80 and sm_90; torch.compile and
# torch.export of the methods in one and three dimensions; 2,000 cells of a study.
test-long: $(READY)
	$(PYTEST) -m long

# Changes a module in small ways and lists the changes that no test notices (see CONTRIBUTING.md). Of all changes, or of
# as many as SAMPLE says: `make mutations MODULE=src/poolab/records/ SAMPLE=50`
mutations: $(READY)
	$(BIN)/python -c 'import mutmut' || $(BIN)/python -m pip install --quiet --editable ".[mutations]"
	OMP_NUM_THREADS=1 $(BIN)/python scripts/mutations.py $(MODULE) $(if $(SAMPLE),--sample $(SAMPLE))

# Replaces the poolings of torchvision's, timm's, transformers' and MONAI's networks: as tests, and as the table in
# docs/zoo.md with what people do with a network (results are kept in runs/zoo.jsonl, so that it can be stopped; benchmarks/zoo.jsonl has those of docs/zoo.md).
test-zoo: $(READY) networks
	$(PYTEST) -m zoo

zoo: $(READY) networks
	$(BIN)/python -m tests.backbones.surgery.zoo_table > docs/zoo.md

# Installs the packages of other networks (extra "networks") where one of them is missing.
networks: $(READY)
	@$(BIN)/python -c 'import importlib.util as u; assert all(map(u.find_spec, "transformers monai accelerate torchao".split()))' \
		2> /dev/null || $(BIN)/python -m pip install --quiet --editable ".[networks]"

# Installs SLURM for the tests that need it (as root, on Debian or Ubuntu); if that is impossible, they are skipped.
slurm-packages:
	@command -v sbatch > /dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends slurmctld slurmd slurm-client munge > /dev/null; } || \
		echo "SLURM could not be installed: the tests on a real one will be skipped"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# Writes the stub files, docs/poolings and the gallery from the classes; tests fail when they are out of date.
docs: $(READY)
	$(BIN)/python -m poolab.catalogue stubs
	$(BIN)/python -m poolab.catalogue docs
	$(BIN)/python -m poolab.catalogue gallery

# Exports every method inside keras_cnn in every format, and writes what came out; takes half an hour. `make exports POOLS="spp median"`
# does these again.
exports: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python scripts/export_table.py measure $(POOLS)
	$(BIN)/python scripts/export_table.py page > docs/export.md

# Checks every method against every item of the suite, with the tests' oracles; takes minutes.
conformance: $(READY)
	$(BIN)/python -m tests.pooling.conformance_table > docs/conformance.md

# The same for the window methods with compiled kernels: about 4000 kernels, compiled without optimisation; half an hour.
conformance-fused: $(READY)
	POOLAB_CFLAGS=-O0 $(BIN)/python -m tests.pooling.conformance_table --backend fused > docs/conformance_fused.md

install: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "poolab needs Python 3.11 or later; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev,peers,slurm,ray,export]"
	touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
