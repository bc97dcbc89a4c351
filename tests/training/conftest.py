"""The small random models of the language tests, and a cache folder of the test's own."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location(
    "language_fixtures", Path(__file__).parents[1] / "models" / "language" / "conftest.py"
)
language = importlib.util.module_from_spec(spec)
spec.loader.exec_module(language)

causal, llama = language.causal, language.llama


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Trained adapters stay in the test's folder."""
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))
    return tmp_path
