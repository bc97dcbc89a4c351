#!/usr/bin/env bash
# All that continuous integration checks: the fast checks, tests with coverage, the wheel in a clean environment, the docs.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
export EXPLICATE_PROGRESS=0

bash ci/check.sh

echo "== wheel, installed and tried in a clean environment"
rm -rf build dist
$bin/python -m build --wheel --outdir dist . >/dev/null
clean=$(mktemp -d)
trap 'rm -rf "$clean"' EXIT
python3 -m venv "$clean/venv"
"$clean/venv/bin/pip" install -q dist/*.whl
(cd "$clean" && venv/bin/python "$OLDPWD/ci/smoke.py" && venv/bin/explicate systems >/dev/null)

echo "== documentation"
pages=$(mktemp)
$bin/mkdocs build --strict >"$pages" 2>&1 || { cat "$pages"; exit 1; }  # quietly, warnings would not count

echo "== tests"
threads=${OMP_NUM_THREADS:-1}
OMP_NUM_THREADS=$threads $bin/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered
