PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup run test test-browser test-fast check format bench selfcheck clean

setup: $(STAMP)

$(STAMP): requirements.txt requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $(STAMP)

run: setup
	$(BIN)/streamlit run app.py

# Three runs: a browser session keeps an event loop open, which other tests must not find.
test: setup
	$(BIN)/python -m pytest -m "not browser"
	$(BIN)/python -m pytest -m browser tests/panels
	$(BIN)/python -m pytest tests/browser

test-browser: setup
	$(BIN)/python -m pytest tests/browser

test-fast: setup
	$(BIN)/python -m pytest -m "not slow and not browser"

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m tutor bench

selfcheck: setup
	$(BIN)/python -m tutor selfcheck

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
