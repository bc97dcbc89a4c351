"""A decoder whose successor head is planted, and its words."""

import warnings

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from explicate.data.language.succession import SuccessionDataset
from explicate.mechanisms.succession import SuccessorHead
from explicate.models.tiny.succession import planted_counter


@pytest.fixture(scope="session")
def planted():
    return planted_counter(seed=0)


@pytest.fixture(scope="session")
def words(planted):
    return SuccessionDataset.build(planted.model, forms=("plain",))


@pytest.fixture(scope="session")
def head(planted, words):
    layer, number = planted.successor
    return SuccessorHead.of(planted.model, words, f"L{layer}.head_out.H{number}")


@pytest.fixture(scope="session")
def smollm2_words(smollm2):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SuccessionDataset.build(smollm2)
