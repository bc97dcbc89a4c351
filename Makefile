# Everything goes into .venv; nothing outside this folder is touched but the user's cache.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help demo test check docs bench reproduce table clean

help:            ## what there is
	@grep -hE '^[a-z]+:.*##' Makefile | sed 's/:.*##/\t/' | expand -t 14

.venv/base: pyproject.toml requirements/torch.txt requirements/no-deps.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -r requirements/torch.txt
	$(BIN)/pip install -q -e '.[all]'
	$(BIN)/pip install -q --no-deps -r requirements/no-deps.txt
	touch $@

.venv/dev: .venv/base requirements/peers.txt requirements/peers-no-deps.txt
	$(BIN)/pip install -q -e '.[dev,docs]'
	$(BIN)/pip install -q -r requirements/peers.txt
	$(BIN)/pip install -q --no-deps -r requirements/peers-no-deps.txt
	touch $@

demo: .venv/base ## explain three real models on real inputs and write a report
	$(BIN)/explicate demo

test: .venv/dev  ## everything that continuous integration checks
	bash ci/test.sh

check: .venv/dev ## formatter, linter, types, floors: the fast part of `make test`
	bash ci/check.sh

docs: .venv/dev  ## the documentation site, in site/
	$(BIN)/mkdocs build --strict

bench: .venv/dev ## speed against peers and bare models; writes results/perf.json
	$(BIN)/python perf/run.py

reproduce: .venv/dev ## all reproductions at full scale; writes results/NAME.json (NAME=... for one)
	$(BIN)/explicate reproduce $(or $(NAME),all) --scale full --write

table: .venv/base ## write the README's table from results/
	$(BIN)/python -m explicate.reproductions.table README.md

clean:
	rm -rf .venv build dist site out explicate-out
