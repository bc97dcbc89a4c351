"""Staged path patching: each stage is one call of `patch_paths`, and a trained-in path is found group by group."""

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.mechanisms import patch_paths
from explicate.mechanisms.circuits import Stage, discover_circuit
from explicate.mechanisms.circuits.discovery import relative_change

PLACES = {"last": np.full(6, 7), "label": np.full(6, 5), "first": np.array([0, 1, 2, 0, 3, 1])}
SOURCES = {**PLACES, "first": np.array([3, 3, 0, 1, 1, 2])}
STAGES = (
    Stage("fetchers", "last", 8, 6),
    Stage("transmitters", "last", 2, 1, (("fetchers", "q"),)),
    Stage("readers", "first", 3, 1, (("fetchers", "k"), ("fetchers", "v"))),
)


def prompts():
    return np.random.default_rng(0).integers(5, 200, (2, 6, 8))


def test_every_stage_is_a_ranking_of_path_effects(llama):
    ids, source = prompts()
    answers = llama.predict(ids).argmax(axis=1)
    found = discover_circuit(llama, ids, source, answers, STAGES, PLACES, SOURCES)
    options = {"target": answers.tolist(), "metric": "probability"}
    first, dropped = relative_change(patch_paths(llama, ids, source, **options))
    assert dropped == found.dropped["fetchers"] == 0
    np.testing.assert_allclose(found.scores["fetchers"], first, atol=1e-6)
    order = [divmod(int(i), 4) for i in np.argsort(first.values, axis=None) if first.values.ravel()[i] < 0][:8]
    assert max(layer for layer, _ in order[:6]) > 0
    received = [f"L{layer}.q.H{head}" for layer, head in order[:6]]
    second, _ = relative_change(patch_paths(llama, ids, source, receivers=received, **options))
    np.testing.assert_allclose(found.scores["transmitters"], second, atol=1e-6)
    received = [f"L{layer}.{kind}.H{head}" for kind in ("k", "v") for layer, head in order[:6]]
    places = {"position": PLACES["first"].tolist(), "source_position": SOURCES["first"].tolist()}
    third, _ = relative_change(patch_paths(llama, ids, source, receivers=received, **places, **options))
    np.testing.assert_allclose(found.scores["readers"], third, atol=1e-6)
    transmitters = set(found.circuit["transmitters"].heads)
    assert set(found.circuit["fetchers"].heads) == set(order) - transmitters  # the later stage keeps a shared head
    assert len(found.circuit["readers"].heads) <= 3


def test_only_heads_that_lower_the_answer_are_taken(llama):
    ids, source = prompts()
    answers = llama.predict(ids).argmax(axis=1)
    found = discover_circuit(llama, ids, source, answers, (Stage("all", "last", 12, 12),), PLACES, SOURCES)
    scores = found.scores["all"].values
    assert {tuple(head) for head in np.argwhere(scores < 0).tolist()} == set(found.circuit["all"].heads)


def test_heads_of_the_first_layer_have_none_before_them(llama):
    ids, source = prompts()
    answers = llama.predict(ids).argmax(axis=1)
    lowest = (Stage("early", "last", 12, 12), Stage("before", "label", 2, 1, (("early", "v"),)))
    found = discover_circuit(llama, ids, source, answers, lowest, PLACES, SOURCES)
    assert (found.circuit["before"].heads == ()) == all(layer == 0 for layer, _ in found.circuit["early"].heads)


def test_stages_must_follow_one_another(llama):
    ids, source = prompts()
    with pytest.raises(InputError, match="'before' asks about 'early', which is none of the stages before it"):
        discover_circuit(
            llama, ids, source, ids[:, 0], (Stage("before", "last", 2, 1, (("early", "v"),)),), PLACES, SOURCES
        )
    with pytest.raises(InputError, match="prompt 0 has no position 'first'"):
        discover_circuit(llama, ids, source, ids[:, 0], STAGES, {**PLACES, "first": np.full(6, -1)}, SOURCES)


def test_prompts_without_a_clean_figure_are_dropped_and_counted(llama):
    ids, source = prompts()
    found = patch_paths(llama, ids, source, target=ids[:, 0].tolist(), metric="probability")
    found.data["base_score"][:2] = 0.0
    change, dropped = relative_change(found)
    assert dropped == 2
    expected = (found["effect"][2:] / found["base_score"][2:]).mean("sample")
    np.testing.assert_allclose(change, expected)
    found.data["base_score"][:] = 0.0
    with pytest.raises(InputError, match="0 for all prompts"):
        relative_change(found)
