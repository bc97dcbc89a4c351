"""A planted knob is found and turns answers, in generation too; values and models that do not fit are refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import explicate as ex
from explicate.core.interventions import Project
from explicate.errors import InputError
from explicate.mechanisms import interchanged
from explicate.mechanisms.knobs import (
    Knob,
    KnobTraining,
    Separation,
    mean_difference,
    random_direction,
    turned,
    with_best_values,
)

COUNT, TOKENS = 32, 6
KNOWN, READ, NEITHER = 5, 6, 7  # answer tokens


@pytest.fixture(scope="module")
def planted(small):
    """A model that answers KNOWN or READ by the sign of one direction of its last token; prompts of both intents.

    Tokens 100 to 131 say prior, 132 to 163 context, 164 to 195 neither, and all differ in random other ways.
    """
    model = small("llama")
    rng = np.random.default_rng(0)
    direction = rng.normal(size=model.width)
    direction /= np.linalg.norm(direction)
    noise = rng.normal(size=(96, model.width))
    noise -= np.outer(noise @ direction, direction)
    sign = np.repeat([-1.0, 1.0, 0.0], COUNT)[:, None]
    with torch.no_grad():
        model.module.get_input_embeddings().weight[100:196] = torch.as_tensor(2 * sign * direction + noise).float()
        model.module.lm_head.weight.zero_()
        model.module.lm_head.weight[KNOWN] = -torch.as_tensor(direction)
        model.module.lm_head.weight[READ] = torch.as_tensor(direction)
        model.module.model.norm.weight.fill_(1.0)
        for block in model.blocks:
            block.self_attn.o_proj.weight.zero_()
            block.mlp.down_proj.weight.zero_()
    ids = np.repeat(rng.integers(200, 300, (COUNT, TOKENS))[None], 3, axis=0)
    ids[:, :, -1] = 100 + np.arange(96).reshape(3, COUNT)
    return model, *ids, direction


@pytest.fixture(scope="module")
def found(planted):
    model, prior, context, *_ = planted
    how = KnobTraining(layers=(0, 1), epochs=10, batch=16)
    return how.fit(model, prior[:20], context[:20], [KNOWN] * 20, [READ] * 20, seed=0)


def test_the_planted_direction_is_found_with_its_natural_values(planted, found):
    model, prior, context, _, direction = planted
    for layer, one in enumerate(found):
        knob = Knob.of(one)
        assert knob.layer == layer
        assert abs(knob.direction @ direction) > 0.95
        assert np.linalg.norm(knob.direction) == pytest.approx(1.0)
        assert knob.direction @ direction > 0  # the context has the larger coordinates
        natural = knob.coordinates(model, np.concatenate([prior, context]))
        assert (natural[:COUNT] < 0).all()
        assert (natural[COUNT:] > 0).all()
        assert knob.value_prior == pytest.approx(float(natural[:20].mean()))
        assert (one.data.attrs["kept"], one.data.attrs["accuracy_prior"]) == (20, 1.0)
    new = interchanged(model, found[1], prior[20:], context[20:], target=READ)
    assert new.data.attrs["accuracy"] == 1.0


def test_the_knob_turns_new_prompts_and_a_random_direction_does_not(planted, found):
    model, _, _, silent, _ = planted
    knob, won = with_best_values(Knob.of(found[1]), model, silent[:10], [KNOWN] * 10, [READ] * 10)
    assert won.pair_accuracy == 1.0
    assert won.prior.shape == (10,)
    rng = np.random.default_rng(1)
    others = [knob.with_direction(random_direction(model.width, rng)) for _ in range(5)]
    true, *by_chance = turned([knob, *others], model, silent[10:], [KNOWN] * 22, [READ] * 22)
    assert true.pair_accuracy == 1.0
    assert np.mean([each.pair_accuracy for each in by_chance]) < 0.5
    with model.intervene(others[0].prior):
        alone = model.predict(silent[10:]).argmax(axis=1) == KNOWN
    np.testing.assert_array_equal(by_chance[0].prior, alone)
    with pytest.raises(InputError, match="a direction of shape"):
        knob.with_direction(np.ones(5))


def test_the_coordinate_is_set_in_every_row_of_a_batch_and_at_every_new_token(planted, found):
    model, prior, _, _, _ = planted
    knob = Knob.of(found[1])
    rows = [prior[0].tolist(), prior[1, 2:].tolist(), prior[2, 1:].tolist()]
    value = knob.value_context
    with model.intervene(knob.context):
        states = model.capture(rows, ["L1.resid_post@-1", "L1.resid_post"])
        written = model.generate_tokens(rows, max_new_tokens=3)
    np.testing.assert_allclose(states["L1.resid_post@-1"][:, 0] @ knob.direction, value, atol=1e-4)
    before = model.capture(rows, ["L1.resid_post"])["L1.resid_post"]
    for row, ids in enumerate(rows):  # tokens before the last stay as they are
        np.testing.assert_array_equal(states["L1.resid_post"][row, : len(ids) - 1], before[row, : len(ids) - 1])
    assert [tokens[0] for tokens in written] == [READ] * 3
    for ids, tokens in zip(rows, written, strict=True):
        for place, token in enumerate(tokens):
            here = tuple(range(len(ids) - 1, len(ids) + place))
            with model.intervene(Project(ex.Site("resid_post", 1, None, here), knob.direction, value)):
                assert int(model.predict(model.encode([[*ids, *tokens[:place]]]))[0].argmax()) == token


def test_setting_a_coordinate_twice_is_setting_it_once(planted, found):
    model, *_ = planted
    change = Knob.of(found[0]).at_end(1.5)
    state = np.random.default_rng(0).normal(size=(3, 1, model.width))
    once = change.apply(state)
    np.testing.assert_allclose(change.apply(once), once, atol=1e-12)
    np.testing.assert_allclose(once @ Knob.of(found[0]).direction, 1.5)


def test_a_knob_survives_a_file(found, tmp_path):
    knob = Knob.of(found[0]).with_values(-1.0, 2.0)
    knob.to_direction().save(tmp_path / "knob.nc")
    again = Knob.from_direction(ex.Direction.load(tmp_path / "knob.nc"))
    assert (again.layer, again.value_prior, again.value_context) == (0, -1.0, 2.0)
    np.testing.assert_allclose(again.direction, knob.direction)
    assert (again.mean, again.spread, again.family) == (knob.mean, knob.spread, "llama")


def test_the_mean_difference_is_what_numpy_says(planted):
    model, prior, context, *_ = planted
    knob = Knob.of(mean_difference(model, prior, context, layer=1))
    states = [model.capture(ids, ["L1.resid_post@-1"])["L1.resid_post@-1"][:, 0] for ids in (prior, context)]
    expected = states[1].mean(axis=0) - states[0].mean(axis=0)
    np.testing.assert_allclose(knob.direction, expected / np.linalg.norm(expected), atol=1e-5)
    assert knob.value_context - knob.value_prior == pytest.approx(np.linalg.norm(expected), rel=1e-4)


def test_models_that_a_knob_cannot_turn(planted, found, gemma, small):
    knob = Knob.of(found[1])
    with pytest.warns(UserWarning, match="found in a llama model"):
        knob.fit_for(gemma)
    narrow = knob.found.data.assign(direction=(("component", "width"), np.ones((1, 5))))
    with pytest.raises(InputError, match="width 5 after layer 1 does not fit"):
        Knob.of(ex.Direction(narrow, knob.found.provenance)).fit_for(planted[0])
    deep = knob.found.data.copy()
    deep.attrs["site"] = "L9.resid_post@-1"
    with pytest.raises(InputError, match="3 layers"):
        Knob.of(ex.Direction(deep, knob.found.provenance)).fit_for(planted[0])


def test_values_far_from_nature_warn_and_those_that_are_none_are_refused(found):
    knob = Knob.of(found[0])
    with pytest.warns(UserWarning, match="off-distribution: .* standard deviations"):
        knob.at(knob.mean + 25 * knob.spread)
    with pytest.raises(InputError, match="finite"):
        knob.with_values(float("nan"), 1.0)
    assert knob.in_deviations(knob.mean + 3 * knob.spread) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prior": [KNOWN] * 19}, "20 and 20 prompts, 19 and 20 tokens"),
        ({"prior": [READ] * 20}, "question 0: both answers"),
        ({"prior": [NEITHER] * 20}, r"accuracy 0\.00 for prior knowledge, 1\.00 for the context"),
    ],
)
def test_trainings_that_cannot_be_are_refused(planted, change, words):
    model, prior, context, *_ = planted
    with pytest.raises(InputError, match=words):
        KnobTraining().fit(model, prior[:20], context[:20], change["prior"], [READ] * 20)


def test_directions_that_are_no_knobs_are_refused(planted, found):
    model, prior, context, *_ = planted
    two = KnobTraining(dimensions=2, epochs=1).fit(model, prior[:8], context[:8], [KNOWN] * 8, [READ] * 8)[0]
    with pytest.raises(InputError, match="one direction, not 2"):
        Knob.of(two)
    bare = found[0].data.copy()
    del bare.attrs["spread"]
    with pytest.raises(InputError, match="does not say spread"):
        Knob.of(ex.Direction(bare, found[0].provenance))
    inside = found[0].data.copy()
    inside.attrs["site"] = "L0.z.H1@-1"
    with pytest.raises(InputError, match="block's output"):
        Knob.of(ex.Direction(inside, found[0].provenance))


@settings(deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=2, max_size=12), st.lists(st.integers(-9, 9), min_size=2, max_size=12))
def test_separation_counts_pairs(first, second):
    found = Separation.of(first, second)
    pairs = [(b > a) + 0.5 * (b == a) for a in first for b in second]
    assert found.auroc == pytest.approx(np.mean(pairs))
    assert Separation.of(second, first).auroc == pytest.approx(1 - found.auroc)
    shifted = Separation.of(np.array(first) * 3.0 + 1, np.array(second) * 3.0 + 1)
    assert shifted.distance == pytest.approx(found.distance, nan_ok=True)


def test_separation_by_hand():
    found = Separation.of([0.0, 2.0], [3.0, 5.0])
    assert (found.auroc, found.distance) == (1.0, pytest.approx(3 / np.sqrt(2)))
    with pytest.raises(InputError, match="at least two finite"):
        Separation.of([1.0], [2.0, 3.0])
