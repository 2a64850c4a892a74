# make run | test | check | bench. Each sets up what it needs; the second time that is quick.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
ARGS ?=

# What the window's tests need on Debian and Ubuntu: a virtual screen, Mesa's software OpenGL and Qt's X11 libraries.
DEBIAN := xvfb xauth libegl1 libgl1 libgl1-mesa-dri libgles2 libxcb-cursor0 libxkbcommon-x11-0 libxcb-icccm4 \
	libxcb-keysyms1 libxcb-shape0 libxcb-image0 libxcb-render-util0 libxcb-xinerama0 libxcb-randr0 libdbus-1-3
XVFB := xvfb-run -a -s "-screen 0 1280x800x24 +extension GLX"

.PHONY: run test check bench setup debian browser clean

run: setup
	$(BIN)/python launcher.py $(ARGS)

test: setup debian browser
	@$(if $(shell command -v xvfb-run),$(XVFB)) $(BIN)/python -m pytest -n auto $(ARGS)

check: setup
	@failed=0; for tool in "ruff check ." "ruff format --check ." pyright; do \
		echo "$$tool"; $(BIN)/$$tool || failed=1; done; exit $$failed

bench: setup
	$(BIN)/python -m digit.bench $(ARGS)

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11, 3.12 or 3.13 is needed; install one or give PYTHON=/path/to/python." >&2; exit 2; fi
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

debian:
	@command -v dpkg-query >/dev/null || exit 0; \
	missing=$$(for p in $(DEBIAN); do \
		dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ]; then root=; \
	elif sudo -n true 2>/dev/null; then root="sudo -n"; \
	else echo "The tests of the window need these packages: sudo apt-get install" $$missing >&2; exit 0; fi; \
	$$root apt-get update -qq && $$root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null

# For the test of the browser's page, which is skipped without it. Not every system has a package of that name.
browser:
	@command -v chromium >/dev/null || ! command -v apt-get >/dev/null || [ "$$(id -u)" != 0 ] || \
		env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null 2>&1 || true

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache
