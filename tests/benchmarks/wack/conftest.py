"""A scripted model whose knowledge is written down, so that every label is known."""

import numpy as np
import pytest

from explicate.benchmarks.wack import BadShots, Item, Labeller, Shots, specific_examples
from explicate.benchmarks.wack.planted import items_of, shots_of, trained_on
from explicate.data.language.fact_world import FactWorld
from explicate.models.chat.scripted import ScriptedChat

FACTS = {
    "What is the capital of Norway?": "Oslo",  # known
    "What is the capital of Kenya?": "Nairobi",  # known, but not after wrong examples
    "What is the capital of Peru?": "Lima",  # not known
    "What is the capital of Chad?": "N'Djamena",  # known now and then
    "What is three plus four?": "7",  # known, and its answer is short
}


@pytest.fixture(scope="session")
def facts():
    return [Item(question, (gold,)) for question, gold in FACTS.items()]


def knowing(shots=None, **options):
    """Answers as the comments above say."""
    shots = shots or Shots()
    wrong = [shot.text(good=False) for shot in shots.pool]

    def respond(messages, rng: np.random.Generator):
        prompt = messages[-1].content
        question = prompt.rpartition("question: ")[2].removesuffix("\nanswer:")
        misled = any(text in prompt for text in wrong) or "Alice" in prompt
        if prompt.endswith("Incorrect Answer:"):
            return (
                f" Not {FACTS[prompt.split(chr(10))[0].removeprefix('Question: ')]}" if "Peru" in prompt else " Bergen"
            )
        if "Norway" in question:
            return " Oslo, of course"
        if "Kenya" in question:
            return " Mombasa" if misled else " Nairobi"
        if "Peru" in question:
            return " Cusco"
        if "Chad" in question:
            return " N'Djamena" if rng.random() < 0.5 else " Moundou"
        return " it is 7."

    return ScriptedChat(respond, **options)


@pytest.fixture
def scripted():
    return knowing()


WORLD = {"known": 30, "unknown": 15, "wavering": 0.4, "examples": 9, "relations": 1, "answers": 6}
TRAINING = {"width": 64, "mlp_width": 128, "steps": 300, "learning_rate": 5e-3}


@pytest.fixture(scope="session")
def world():
    return FactWorld(**WORLD)


@pytest.fixture(scope="session")
def planted(world):
    """A small decoder that knows 30 facts and wavers on 12 of them; trained once, and kept in the user's cache."""
    return trained_on(world, **TRAINING).model


@pytest.fixture(scope="session")
def labelled(world, planted):
    """Its labels, the labeller, and its states before the answer."""
    how = Labeller(BadShots(shots_of(world, folds=3)), samples=2)
    dataset = how.label(planted, items_of(world), cache=False)
    return how, dataset, specific_examples(planted, dataset, "pre", components=("resid_post",))
