"""Variables of the network are those of the program, also where some are set; what cannot be set is refused."""

import numpy as np
import pytest

from explicate.errors import InputError, UnknownNameError

from .conftest import random_inputs, random_model
from .test_faithfulness import SHAPES
from .test_program import planted


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_choice_of_the_network_is_the_programs(shape):
    model = random_model(7, **shape)
    sentences = random_inputs(each=20)
    trace, chosen = model.program.trace(sentences), model.capture(sentences)
    assert list(dict.fromkeys(step.name for step in model.program.steps)) == sorted(chosen, key=_place(model))
    there = trace.codes >= 0
    for name, values in chosen.items():
        assert (values[there] == trace.values[name][there]).all(), name


def _place(model):
    order = [step.name for step in model.program.steps]
    return order.index


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_setting_a_variable_does_the_same_to_network_and_program(shape):
    model = random_model(8, **shape)
    sentences = random_inputs(each=20)
    before = model.predict(sentences)
    rng = np.random.default_rng(0)
    shape_of = model.program.encode(sentences).shape
    changed = 0
    for step in model.program.steps:
        own = model.program.variables[step.name]
        given = {step.name: rng.integers(own.size, size=shape_of)}
        found = model.predict(sentences, given)
        assert found.tolist() == model.program.predict(sentences, given).tolist()
        changed += sum(one != other for one, other in zip(found, before, strict=True))
    assert changed > 0
    assert model.predict(sentences).tolist() == before.tolist()  # nothing is left behind


def test_setting_a_variable_to_what_it_is_changes_nothing_and_to_another_what_was_planted():
    program, tokens = planted(), [["<s>", "a", "b", "a"]]
    own = program.trace(tokens).values["head_0_0"]
    assert program.predict(tokens, {"head_0_0": own}).tolist() == program.predict(tokens).tolist()
    assert program.predict(tokens, {"head_0_0": 2}).tolist() == [("Z",) * 4]
    assert program.trace(tokens, {"mlp_0_0": [[0, 1, 2, 0]]}).names("head_0_0") == ["<s>", "<s>", "a", "b"]


def test_what_cannot_be_set_is_refused():
    model = random_model()
    for run in (model.predict, model.program.predict):
        with pytest.raises(UnknownNameError, match="no step 'tokens' to set; there are count_0_0"):
            run([["a"]], {"tokens": 0})
        with pytest.raises(InputError, match="'head_0_0' go from 99 to 99; it has 0 to 6"):
            run([["a"]], {"head_0_0": 99})
        with pytest.raises(InputError, match=r"'head_0_0' do not have the shape \(1, 1\)"):
            run([["a"]], {"head_0_0": [[0, 1]]})
