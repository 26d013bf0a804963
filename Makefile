# make run    install, build and run the demo study, open the start page
# make test   install, lint, run every test
# make setup  only install
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   ?= demo/active_layer_moisture
SIZE   ?= medium

.PHONY: run headless test lint setup verify clean

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it by: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(DEMO)/study.toml: | setup
	$(BIN)/python -m alm_core demo active_layer_moisture --size $(SIZE) --out $(DEMO)

headless: setup $(DEMO)/study.toml
	$(BIN)/python -m alm_core run $(DEMO)/study.toml --workspace workspace

run: headless
	$(BIN)/python -m streamlit run app.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

test: lint
	$(BIN)/python -m tests.compile_kernels
	$(BIN)/python -m pytest -n 2 --dist loadfile

verify: headless
	$(BIN)/python -m benchmarks.acceptance

clean:
	rm -rf workspace demo .pytest_cache .ruff_cache
	rm -rf alm_core/__pycache__/kernels-*
