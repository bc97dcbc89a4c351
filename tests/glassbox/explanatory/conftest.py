"""Networks that learned a few simple rules: small enough to train here, good enough to be right."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate.data.odeen import Phenomena, TableMaker, language  # noqa: E402
from explicate.glassbox.explanatory import SMALL, ConjectureGenerator, NetworkShape, RuleInterpreter, Words  # noqa: E402

SHAPE = NetworkShape(32, 2, 32, 1)
THINGS = ("red", "blue", "block", "pyramid")
RULES = tuple(f"{quantity} {thing}" for quantity in ("zero", "at_least 2") for thing in THINGS)


def phenomena(rules, count, seed):
    """Structures of some rules, half near misses, half random; the tables are the first of them."""
    table = language("small")
    rows = np.array([table.places[rule] for rule in rules])
    maker = TableMaker(table, np.random.default_rng(seed))
    ids = np.array([maker.filled(maker.near_misses(row, count // 4).ravel(), count) for row in rows])
    tags = table.tags(rows[:, None], ids)
    return Phenomena(tuple(rules), ids[:, :32], tags[:, :32], ids, tags)


@pytest.fixture(scope="session")
def simple():
    """Phenomena to learn from, and others of the same rules."""
    return phenomena(RULES, 400, 0), phenomena(RULES, 100, 1)


@pytest.fixture(scope="session")
def networks(simple):
    """A generator and an interpreter that know eight rules."""
    words = Words.of(RULES)
    recipe = dataclasses.replace(
        SMALL.interpreter_recipe, steps=600, batch=128, learning_rate=5e-3, warmup=20, checkpoints=()
    )
    interpreter = RuleInterpreter.train(simple[0], words=words, shape=SHAPE, recipe=recipe, cache=False)
    recipe = dataclasses.replace(
        SMALL.generator_recipe, steps=150, batch=32, learning_rate=5e-3, warmup=20, checkpoints=()
    )
    generator = ConjectureGenerator.train(simple[0], words=words, shape=SHAPE, recipe=recipe, cache=False)
    return generator, interpreter
