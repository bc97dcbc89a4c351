"""Attention knockout against the definition, made with `intervene`; invariants; what cannot be cut."""

import numpy as np
import pytest

from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.tracing import Cut, knock_out_attention

TARGET = 11


def cut_by_hand(model, ids, layers, query, keys):
    with model.intervene(*(Cut(Site("scores", layer, None, (query,)), keys) for layer in layers)):
        return model.predict(ids)[:, TARGET]


@pytest.mark.parametrize(("query", "keys", "window"), [(-1, (0, 3), None), (-1, (5,), 1), (4, (2, 4), 2)])
def test_every_window_equals_the_cut_by_hand(causal, pair, query, keys, window):
    ids, _ = pair(causal)
    found = knock_out_attention(causal, ids, keys, query=query, window=window, target=TARGET)
    assert found.place_dims == ("layer",)
    for layer in range(3):
        layers = range(layer, 3 if window is None else min(3, layer + window))
        expected = cut_by_hand(causal, ids, layers, query, keys) - found["base_score"].values
        np.testing.assert_allclose(found.values[:, layer], expected, atol=1e-4)
    assert np.abs(found.values).max() > 1e-4


def test_each_prompt_has_its_own_query_and_keys(llama, pair):
    first, second = pair(llama)
    ids = np.concatenate([first, second])
    both = knock_out_attention(llama, ids, [(0,), (1, 2)], query=(-1, 4), first_layers=(1,), target=TARGET)
    one = knock_out_attention(llama, first, 0, first_layers=(1,), target=TARGET)
    two = knock_out_attention(llama, second, (1, 2), query=4, first_layers=(1,), target=TARGET)
    np.testing.assert_allclose(both.values[:, 0], [one.values[0, 0], two.values[0, 0]], atol=2e-5)
    assert both["hidden"].values.tolist() == ["0", "1 2"]


def test_a_cut_token_no_longer_matters_to_the_query(llama):
    """With the first token hidden from all others in every layer, what it is makes no difference."""
    ids = llama.encode("When John and Mary went to the store")[:, :6]
    other = ids.copy()
    other[0, 0] = 40
    hidden = [Cut(Site("scores", layer, None, (1, 2, 3, 4, 5)), (0,)) for layer in range(3)]
    with llama.intervene(*hidden):
        np.testing.assert_allclose(llama.predict(ids), llama.predict(other), atol=1e-5)
    assert np.abs(llama.predict(ids) - llama.predict(other)).max() > 1e-3


def test_the_answer_of_smollm2_hangs_on_where_it_stands(smollm2):
    """Cut off from the only place that tells, the model loses the answer; cut off from another it does not."""
    ids = smollm2.encode("Zorba lives in Kenya. Marla lives in Norway. Zorba lives in")
    words = [smollm2.token_text(int(i)) for i in ids[0]]
    options = {"target": " Kenya", "metric": "log-probability", "first_layers": (0,)}
    lost = knock_out_attention(smollm2, ids, words.index(" Kenya"), **options).values[0, 0]
    other = knock_out_attention(smollm2, ids, words.index(" Norway"), **options).values[0, 0]
    assert lost < -2 < other


@pytest.mark.parametrize(
    ("keys", "options", "words"),
    [
        (3, {"query": 2}, "never sees the one at 3"),
        (range(8), {}, "no key left"),
        ((0, 1, 2), {"query": 2}, "no key left"),
        ([], {}, "no positions to hide"),
        ([[0], [1]], {}, "2 of 1 prompts"),
        (0, {"query": (1, 2)}, "2 queries for 1 prompts"),
        (0, {"window": 0}, "window is 0"),
    ],
)
def test_what_cannot_be_cut_is_refused(llama, pair, keys, options, words):
    ids, _ = pair(llama)
    with pytest.raises(InputError, match=words):
        knock_out_attention(llama, ids, keys, target=TARGET, **options)
