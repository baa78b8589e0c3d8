# Everything from a bare Python 3.11: each target makes .venv first, and is quick about it the second time.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || command -v python3)
SOURCES = $(sort $(shell find darla envs vision agents experiments -name '*.py'))

# A study and the tests run several processes; PyTorch's own threads would make them fight over the cores.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-all lint types format bench install graphics clean

demo: install graphics
	$(BIN)/darla demo

test: install graphics
	$(BIN)/python -m pytest -n 2 --dist loadfile

# The cluster's tests need Ray, an extra that nothing else needs.
test-all: install graphics $(VENV)/.ray
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not gpu"

bench: install graphics
	$(BIN)/python -m benchmarks

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.links
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/.installed

$(VENV)/.ray: $(VENV)/.installed
	$(BIN)/python -m pip install -qq -c constraints.txt --config-settings editable_mode=strict -e ".[dev,car-racing,ray]"
	@rm -f $(VENV)/.links
	@touch $@

# MiniWorld draws through EGL and Mesa. Root on Debian gets them here; anybody else is told what to ask for.
graphics: install
	@missing="$$($(BIN)/python -m darla.common.graphics)"; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $$missing"; \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
	elif [ -n "$$missing" ]; then \
		echo "graphics libraries are missing; ask an administrator for: apt-get install $$missing" >&2; exit 2; \
	fi

$(VENV)/.created:
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "darla needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.1" -c constraints.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt
	$(BIN)/python -m pip install -qq -c constraints.txt --config-settings editable_mode=strict -e ".[dev,car-racing]"
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
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache
