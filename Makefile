# `make` explains. Needs Python 3.11, 3.12 or 3.13, and git; everything else goes into .venv.

VENV  := .venv
PY    := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python)
ARGS  :=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help env tour lab test lint format notebooks figures wheel clean

help: ## this list
	@echo "vtexplore, a microscope for video-text transformers"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "The first of them creates .venv (some minutes, 2 GB on disk); it is renewed when"
	@echo "pyproject.toml or constraints.txt change. Another Python: make tour PYTHON=python3.12"

tour: $(STAMP) ## the first look: five minutes, nothing to download
	@$(PY) -m vtexplore tour $(ARGS)

lab: $(STAMP) ## the notebooks in JupyterLab
	@$(PY) -m jupyter lab notebooks $(ARGS)

test: $(STAMP) ## all tests; one of them: make test ARGS="tests/test_house.py"
	@$(PY) -m pytest -n auto --maxprocesses 8 --dist loadfile $(ARGS)

lint: $(STAMP) ## style and types, changes nothing
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: $(STAMP) ## style, mended in place
	@$(PY) -m ruff check --fix --quiet .
	@$(PY) -m ruff format .

notebooks: $(STAMP) ## run every notebook and store its outputs in place
	@$(PY) -m jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False --log-level=WARN notebooks/*.ipynb

figures: $(STAMP) ## the figures of the README, one benchmark each
	@set -e; for script in benchmarks/*.py; do \
	  [ -e "$$script" ] || { echo "There are no benchmarks yet."; exit 1; }; \
	  echo "$$script"; $(PY) "$$script"; \
	done

wheel: $(STAMP) ## source archive and wheel, in dist/
	@$(PY) -m build --no-isolation

clean: ## what was built or cached; .venv and runs/ stay
	@rm -rf build dist tour.html .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

env: $(STAMP) ## the environment alone

# One line while it works; the whole log is kept, and its end is shown if something fails.
$(STAMP): pyproject.toml constraints.txt
	@good='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; \
	if ! $(PY) -c "$$good; import pip" 2>/dev/null; then \
	  found=; \
	  for candidate in $(PYTHONS); do \
	    if "$$candidate" -c "$$good" >/dev/null 2>&1; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "No Python 3.11, 3.12 or 3.13 with the venv module was found (tried: $(PYTHONS)); install one, or name yours: make PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$found."; \
	  "$$found" -m venv --clear $(VENV) || exit 1; \
	fi; \
	echo "Installing what vtexplore needs into $(VENV); a few minutes the first time."; \
	rm -f $(STAMP); n=0; \
	{ $(PY) -m pip install --progress-bar off -c constraints.txt -e '.[lab,dev]' 2>&1 && touch $(STAMP); } \
	| tee $(VENV)/install.log | while IFS= read -r line; do \
	    case "$$line" in \
	      Collecting*|Processing*) n=$$((n + 1)); if [ -t 1 ]; then printf '\r  %d packages' $$n; fi ;; \
	      "Installing collected"*) if [ -t 1 ]; then printf '\r'; fi; echo "  $$n packages found, unpacking" ;; \
	    esac; \
	  done; \
	if [ ! -f $(STAMP) ]; then \
	  tail -n 12 $(VENV)/install.log >&2; \
	  echo "Installing failed; the whole log is in $(VENV)/install.log. Without network? pip needs it this once." >&2; \
	  exit 1; \
	fi
