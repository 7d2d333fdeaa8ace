# make study | test | bench | verify | lab | cuda | lock | clean        what each needs, .venv included, is made first
#
#   make study                                      every notebook on generated faces, minutes on two cores
#   make study PROFILE=cpu FER_DATA_DIR=~/datasets  real data, hours on two cores
#   make study PROFILE=paper RUN=04_alam_2022       one run of a profile
#   make study PROFILE=gpu GPUS=2                   real data on two GPUs, a run for each; CUDA comes with it
#   make cuda                                       what GPUS=1 or more adds to .venv, for runs by hand and on a cluster
#   make bench                                      the speed ratios at small sizes again; fails if one has fallen by a third since reports/bench
#   make verify RUN=cpu                             every metric of the committed runs anew from their predictions; or RUN=cpu/04_alam_2022

PYTHON  ?= python3
PROFILE ?= smoke
CORES   ?= $(shell getconf _NPROCESSORS_ONLN)
GPUS    ?= 0
BIN     := .venv/bin
READY   := .venv/.ready
CUDA    := .venv/.ready-gpu

export PROFILE

.PHONY: study test bench verify lab cuda lock clean

study: $(READY) $(if $(filter-out 0,$(GPUS)),$(CUDA))
	@$(BIN)/python -m fer_helpers.study --profile $(PROFILE) --cores $(CORES) --gpus $(GPUS) $(if $(RUN),--run $(RUN)) $(if $(FORCE),--force)

test: $(READY)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

bench: $(READY)
	@$(BIN)/python -m fer_helpers.study.benchmark reports/bench/06_speed

verify: $(READY)
	@$(BIN)/python -m fer_helpers.study.verify reports/$(or $(RUN),cpu) $(if $(SEAL),--seal)

lab: $(READY)
	@$(BIN)/jupyter lab notebooks

# The stamp is written last: an installation that was cut off is taken up again.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] < (3, 14) else f"Python 3.11 to 3.13 is needed, $(PYTHON) is {sys.version.split()[0]}: name another one, as in: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

cuda: $(CUDA)

# On top of it, for GPUs = 1 or more: gigabytes that a machine without a GPU has no use for. Elsewhere than on Linux it is nothing.
$(CUDA): requirements-gpu.lock $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-gpu.lock
	@touch $@

# One lock for Linux, macOS and Windows, Python 3.11 to 3.13, and one for GPUs with the same versions; pyproject.toml is their only source.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

lock: $(READY)
	$(LOCK) pyproject.toml --extra tensorflow --extra jax --extra export --extra dlib --extra dev --output-file requirements.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["gpu"], sep="\n")' \
	    | $(LOCK) - --constraint requirements.lock --output-file requirements-gpu.lock

clean:
	rm -rf .venv .snakemake data/cache
