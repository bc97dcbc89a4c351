"""The small random models and the real one of the language tests, and prompts whose tokens correspond."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location(
    "language_fixtures", Path(__file__).parents[1] / "models" / "language" / "conftest.py"
)
language = importlib.util.module_from_spec(spec)
spec.loader.exec_module(language)

CAUSAL = language.CAUSAL
llama, gemma, bert = language.llama, language.gemma, language.bert


@pytest.fixture(scope="module", params=language.LLAMA_SHAPED)
def causal(request):
    """Each architecture that the fast restart knows."""
    return language.handle(request.param)


@pytest.fixture(scope="session")
def small():
    """A function that makes a small random model of an architecture."""
    return language.handle


@pytest.fixture(scope="session")
def pair():
    """A function that gives two prompts (1, token) of as many tokens, as ids."""

    def make(model, tokens=8):
        first = model.encode("When John and Mary went to the store, John gave a drink to Mary.")
        second = model.encode("Anna and Tom went to the park, and Tom gave a ball to Anna.")
        return first[:, :tokens], second[:, :tokens]

    return make
