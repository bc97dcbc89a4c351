"""Attention knockout, information flow and extraction against what they mean."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate import Site  # noqa: E402
from explicate.errors import InputError, SelectionError  # noqa: E402
from explicate.mechanisms.tracing import cuts, extraction_rate, information_flow  # noqa: E402
from explicate.mechanisms.tracing.causal_tracing import window_of  # noqa: E402
from explicate.models.tiny.decoder import Decoder  # noqa: E402

WORDS = tuple(f"w{i}" for i in range(20))
PROMPTS = ["w1 w2 w3 w4 w5 w6", "w2 w3 w3 w4 w5 w7", "w5 w6 w7"]
SPANS = [(1, 3), (0, 3), (0, 1)]


@pytest.fixture(scope="module", params=["rotary", "learned"])
def model(request):
    decoder = Decoder(WORDS, layers=4, width=32, heads=4, mlp_width=48, positions=request.param)
    return decoder.handle(decoder.build(0))


def test_what_is_left_of_a_pattern_adds_up_to_one(model):
    site = Site("pattern", 2)
    before = np.asarray(model.capture(PROMPTS[:1], [site])[site])[0]
    with model.intervene(*cuts([2], [-1], [1, 2])):
        after = np.asarray(model.capture(PROMPTS[:1], [site])[site])[0]
    np.testing.assert_array_equal(after[:, -1, [1, 2]], 0.0)
    expected = before[:, -1].copy()
    expected[:, [1, 2]] = 0.0
    np.testing.assert_allclose(after[:, -1], expected / expected.sum(axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(after[:, :-1], before[:, :-1], atol=1e-6)


def test_a_padded_row_loses_the_same_keys_as_alone(model):
    with model.intervene(*cuts([0, 1], [-1], [0])):
        both = model.predict(model.encode(PROMPTS))
        alone = model.predict(model.encode(PROMPTS[2:]))
    np.testing.assert_allclose(both[2], alone[0], atol=1e-5)


def test_one_head_is_cut_and_the_others_are_not(model):
    site = Site("z", 1)
    before = np.asarray(model.capture(PROMPTS[:1], [site])[site])[0]
    with model.intervene(*cuts([1], [-1], [0], heads=[2])):
        after = np.asarray(model.capture(PROMPTS[:1], [site])[site])[0]
    changed = np.abs(after - before).max(axis=(1, 2)) > 1e-5
    assert changed.tolist() == [False, False, True, False]


def test_a_token_needs_something_to_read(model):
    with model.intervene(*cuts([0], [2], [0, 1, 2])), pytest.raises(InputError, match="no key left"):
        model.predict(model.encode(PROMPTS[:1]))


def test_knockouts_that_mean_nothing_are_refused(model):
    with pytest.raises(InputError, match="at least one token"):
        cuts([0], [-1], [])
    with model.intervene(*cuts([0], [-1], [9])), pytest.raises(SelectionError, match="no key 9"):
        model.predict(model.encode(PROMPTS[:1]))


def test_information_flow_equals_one_pass_for_each_block(model):
    targets = [3, 4, 5]
    found = information_flow(model, PROMPTS, SPANS, target=targets, window=3, every=2)
    with model.scored_by("probability"):
        for number, (prompt, span) in enumerate(zip(PROMPTS, SPANS, strict=True)):
            ids = model.encode([prompt])
            length = ids.shape[1]
            base = model.predict(ids)[0, targets[number]]
            blocks = {
                "subject": [i for i in range(length - 1) if span[0] <= i < span[1]],
                "other": [i for i in range(length - 1) if not span[0] <= i < span[1]],
                "last": [length - 1],
            }
            for layer in (0, 2):
                for block, keys in blocks.items():
                    with model.intervene(*cuts(window_of(layer, 3, 4), [length - 1], keys)):
                        cut = model.predict(ids)[0, targets[number]]
                    percent = float(found["percent"].sel(layer=layer, block=block)[number])
                    assert percent == pytest.approx(100 * (cut - base) / base, abs=0.05)


def test_a_subject_that_is_all_but_the_last_token_leaves_no_others(model):
    found = information_flow(model, ["w1 w2 w3"], [(0, 2)], window=1)
    assert found["there"].values.tolist() == [[True, False, True]]
    assert not found["effect"].sel(block="other").values.any()


@pytest.mark.parametrize("norm", [True, False])
def test_extraction_reads_each_part_by_the_unembedding(model, norm):
    found = extraction_rate(model, PROMPTS, target=[3, 4, 5], norm=norm)
    assert found.rank.shape == (3, 2, 4)
    unembedding = model.module.get_output_embeddings().weight
    for number, part in enumerate(("attn_out", "mlp_out")):
        site = Site(part, 2, None, (-1,))
        state = torch.as_tensor(np.asarray(model.capture(PROMPTS, [site])[site])[:, 0])
        with torch.no_grad():
            logits = (model.module.base_model.norm(state) if norm else state) @ unembedding.T
        for row, target in enumerate((3, 4, 5)):
            assert found.rank[row, number, 2] == int((logits[row] > logits[row, target]).sum())
    np.testing.assert_allclose(found.rate(len(WORDS) + 1), 1.0)


def test_the_first_layer_that_names_the_answer_is_found(model):
    found = extraction_rate(model, PROMPTS)
    for row in range(3):
        for part in range(2):
            named = np.flatnonzero(found.rank[row, part] == 0)
            assert found.extracted[row, part] == (named[0] if len(named) else -1)
