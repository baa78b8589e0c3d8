# Everything from a bare Python 3.11: each target makes .venv first, and is quick about it the second time.

# A VENV of your own is used as it is, with the PyTorch that is in it.
VENV ?= .venv
BIN := $(VENV)/bin
# The Python to make it with; if empty, the first here that is 3.11 or newer.
PYTHON ?=
# auto: PyTorch's build for CPUs where there is no NVIDIA GPU; cpu; default: PyPI's build, with CUDA.
TORCH ?= auto
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
EXTRAS := dev,car-racing
SOURCES = $(sort $(shell find darla envs vision agents experiments -name '*.py'))

# A study and the tests run several processes; PyTorch's own threads would make them fight over the cores.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test torture test-all test-installs test-strangers lint types docs format bench install dependencies graphics clean

demo: graphics install
	$(BIN)/darla demo

test: graphics install
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The cluster's tests need Ray, an extra that nothing else needs.
test-all: graphics install $(VENV)/.ray
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not gpu"

# Hours and tens of gigabytes: every way to install darla, each in an environment of its own. INSTALLS="--only NAME".
test-installs: graphics
	$(BIN)/python tools/try_installs.py $(INSTALLS)

# Inputs and accidents of every kind, for SECONDS, drawn by SEED: counts for each promise, and what broke it, in
# build/torture. ONLY="kill of a study" tries one kind. Ctrl-C ends it, with the table so far.
SECONDS ?= 7200
SEED ?= 0
torture: graphics install
	$(BIN)/python tests/torture/run.py --seconds $(SECONDS) --seed $(SEED) $(if $(ONLY),--only "$(ONLY)")

# darla with environments, networks and algorithms of others (minigrid, highway-env, crafter, timm, sb3-contrib,
# stable-worldmodel), in two environments of their own.
test-strangers: graphics
	$(BIN)/python tools/try_installs.py --only strangers-3.11 stable-worldmodel-3.11

bench: graphics install
	$(BIN)/python -m benchmarks

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.links
	$(BIN)/mypy
	$(BIN)/mypy tools/*.py

# The site, in site/. Strict: a broken link or a name that is not there fails.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/.installed

# What the project needs, without the project.
dependencies: $(VENV)/.dependencies

$(VENV)/.ray: $(VENV)/.installed
	@$(BIN)/python tools/install_dependencies.py --torch $(TORCH) --cpu-index $(TORCH_CPU_INDEX) --extras $(EXTRAS),ray
	@touch $@

$(VENV)/.docs: $(VENV)/.installed
	@$(BIN)/python tools/install_dependencies.py --torch $(TORCH) --cpu-index $(TORCH_CPU_INDEX) --extras $(EXTRAS),docs
	@touch $@

# MiniWorld draws through EGL and Mesa. Root on Debian gets them here; anybody else is told what to ask for, before
# anything large is downloaded.
graphics: $(VENV)/.created
	@missing="$$($(BIN)/python darla/common/graphics.py)" || exit 2; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $$missing"; \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
	elif [ -n "$$missing" ]; then \
		echo "graphics libraries are missing; as root, on Debian or Ubuntu: apt-get install $$missing" >&2; exit 2; \
	fi

$(VENV)/.created:
	@tools/make_venv.sh $(VENV) $(PYTHON)
	@touch $@

# Apart from the project, so that an image of the two can keep this layer when only the code has changed.
$(VENV)/.dependencies: $(VENV)/.created pyproject.toml constraints.txt tools/install_dependencies.py
	@$(BIN)/python tools/install_dependencies.py --torch $(TORCH) --cpu-index $(TORCH_CPU_INDEX) --extras $(EXTRAS)
	@touch $@

$(VENV)/.installed: $(VENV)/.dependencies
	$(BIN)/python -m pip install -qq -c constraints.txt --no-deps --config-settings editable_mode=strict -e .
	@rm -f $(VENV)/.links
	@touch $@

# A strict editable install is a tree of links to the files there were; it is what type checkers follow, so it is made
# anew when a file comes or goes. Running needs no new links: darla/__init__.py looks in the checkout first.
$(VENV)/.links: $(VENV)/.installed FORCE
	@echo "$(SOURCES)" | cmp -s - $@ || { \
		$(BIN)/python -m pip install -qq -c constraints.txt --no-deps --config-settings editable_mode=strict -e . \
		&& echo "$(SOURCES)" > $@; }

FORCE:

clean:
	rm -rf .venv build site *.egg-info .mypy_cache .pytest_cache .ruff_cache
