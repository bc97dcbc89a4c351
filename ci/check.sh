#!/usr/bin/env bash
# The fast checks: formatter, linter, docstrings, types, floors.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
$bin/ruff format --check src tests perf
$bin/ruff check src tests perf
$bin/python ci/docstrings.py
$bin/mypy
$bin/lint-imports
