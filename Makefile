# Two commands on a fresh machine: `make demo` and `make test`. Both create .venv when it is missing.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# One thread a test process: two processes of two threads each wait for each other (see CONTRIBUTING.md).
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

.PHONY: demo test test-services test-browser test-long test-zoo zoo lint docs conformance conformance-fused slurm-packages browser-packages install clean

demo: $(READY)
	$(BIN)/python train.py

test: lint
	$(PYTEST)

# With real servers, daemons and clients, all on loopback: SLURM (`make slurm-packages`), W&B's client and agent, Ray.
test-services: $(READY)
	$(PYTEST) -m services

# A report's page in headless Chromium (`make browser-packages`); without one the tests are skipped and say so.
test-browser: $(READY)
	$(PYTEST) -m browser

# A Chromium for those tests (as root, on Debian or Ubuntu); where it cannot be had, they are skipped.
browser-packages:
	@command -v chromedriver > /dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends chromium chromium-driver > /dev/null; } || \
		echo "Chromium could not be installed: the tests of a report's page in a browser will be skipped"

# What takes minutes: every method's Triton kernels, interpreted and compiled for sm_80 and sm_90; what torch.compile and
# torch.export make of the methods in one and three dimensions; 2,000 cells of a study.
test-long: $(READY)
	$(PYTEST) -m long

# Surgery on networks of torchvision and timm: as tests, and as the table in docs/zoo.md; ten minutes.
test-zoo: $(READY)
	$(PYTEST) -m zoo

zoo: $(READY)
	$(BIN)/python -m tests.backbones.surgery.zoo > docs/zoo.md

# A SLURM for the tests that need a real one (as root, on Debian or Ubuntu); where it cannot be had, they are skipped.
slurm-packages:
	@command -v sbatch > /dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends slurmctld slurmd slurm-client munge > /dev/null; } || \
		echo "SLURM could not be installed: the tests on a real one will be skipped"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The cards, their index and the gallery, made from the classes; a test says when they are out of date.
docs: $(READY)
	$(BIN)/python -m poolab.catalogue docs
	$(BIN)/python -m poolab.catalogue gallery

# Every method against every item of the suite, with the tests' oracles; minutes.
conformance: $(READY)
	$(BIN)/python -m tests.pooling.conformance_table > docs/conformance.md

# The same for the window methods on compiled kernels: some 4000 of them, compiled quickly rather than well; half an hour.
conformance-fused: $(READY)
	POOLAB_CFLAGS=-O0 $(BIN)/python -m tests.pooling.conformance_table --backend fused > docs/conformance_fused.md

install: $(READY)

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "poolab needs Python 3.11 or later; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[dev,peers,slurm,ray]"
	touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
