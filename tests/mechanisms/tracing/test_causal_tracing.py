"""Causal tracing against one intervention at a time, and what it must give by construction."""

import numpy as np
import pytest

pytest.importorskip("torch")

from explicate import Patch, Site, Steer
from explicate.core.kinds import Effects
from explicate.errors import CapabilityError, InputError
from explicate.mechanisms.tracing import PLACES, causal_trace, subject_spans, summed_up
from explicate.mechanisms.tracing.causal_tracing import (
    columns_of_place,
    embedding_deviation,
    normalised,
    window_of,
)
from explicate.models.tiny.decoder import Decoder
from explicate.runtime.seeds import generator

WORDS = tuple(f"w{i}" for i in range(20))
PROMPTS = ["w1 w2 w3 w4 w5 w6", "w2 w3 w3 w4 w5 w7", "w8 w2 w3 w9 w5 w6", "w5 w6 w7"]
SPANS = [(1, 3), (0, 3), (1, 3), (1, 2)]


@pytest.fixture(scope="module", params=["rotary", "learned"])
def model(request):
    decoder = Decoder(WORDS, layers=4, width=32, heads=4, mlp_width=48, positions=request.param)
    return decoder.handle(decoder.build(0))


def by_hand(model, prompt, member, span, target, layer, column, part, window, draws, noise, seed):
    """The spoiled and the restored probability, one pass each."""
    ids = model.encode([prompt])
    rng = generator(seed, "noise", member)
    found = np.zeros(2)
    for _ in range(draws):
        drawn = noise * rng.standard_normal((1, span[1] - span[0], model.width), dtype=np.float32)
        clean = {i: model.capture(ids, [Site(part, i)])[Site(part, i)] for i in range(model.layer_count)}
        spoil = Steer(Site("embed", positions=tuple(range(*span))), drawn)
        back = [
            Patch(Site(part, i, positions=(column,)), np.asarray(clean[i])[:, [column]])
            for i in window_of(layer, window, model.layer_count)
        ]
        for number, changes in enumerate(([spoil], [spoil, *back])):
            with model.intervene(*changes), model.scored_by("probability"):
                found[number] += model.predict(ids)[0, target] / draws
    return found


@pytest.mark.parametrize(("part", "window"), [("mlp_out", 3), ("attn_out", 2), ("resid_post", 1)])
def test_it_equals_one_pass_for_each_restoration(model, part, window):
    targets = [4, 7, 9, 1]
    found = causal_trace(model, PROMPTS, SPANS, target=targets, part=part, window=window, every=2, draws=1, seed=5)
    noise = 3.0 * embedding_deviation(model, model.encode(PROMPTS), SPANS)
    assert found.data.attrs["noise"] == pytest.approx(noise)
    for member, place, layer in [(0, "last subject", 0), (1, "middle subject", 2), (2, "last", 2), (3, "next", 0)]:
        column = columns_of_place(place, SPANS[member], len(PROMPTS[member].split()))
        assert len(column) == 1
        spoiled, restored = by_hand(
            model, PROMPTS[member], member, SPANS[member], targets[member], layer, column[0], part, window, 1, noise, 5
        )
        assert found["base_score"].values[member] == pytest.approx(spoiled, abs=1e-5)
        effect = found["effect"].sel(layer=layer, place=place).values[member]
        assert effect == pytest.approx(restored - spoiled, abs=1e-5)


def test_restoring_the_stream_at_the_end_gives_all_of_it_back(model):
    found = causal_trace(model, PROMPTS, SPANS, part="resid_post", window=1, draws=3, seed=1)
    back = found["effect"].sel(layer=model.layer_count - 1, place="last")
    np.testing.assert_allclose(back, found["total_effect"], atol=1e-5)
    np.testing.assert_allclose(found.relative().sel(layer=3, place="last"), 1.0, atol=1e-3)
    with model.scored_by("probability"):
        clean = model.predict(model.encode(PROMPTS)).max(axis=1)
    np.testing.assert_allclose(found["source_score"], clean, rtol=1e-4)


def test_nothing_is_restored_after_the_last_layer_elsewhere(model):
    found = causal_trace(model, PROMPTS[:3], SPANS[:3], part="resid_post", window=1, draws=2)
    others = [place for place in PLACES if place != "last"]
    np.testing.assert_allclose(found["effect"].sel(layer=3, place=others), 0.0, atol=1e-6)


def test_places_of_a_subject_of_one_token():
    assert columns_of_place("first subject", (1, 2), 6) == columns_of_place("last subject", (1, 2), 6) == [1]
    assert columns_of_place("middle subject", (1, 2), 6) == []
    assert columns_of_place("next", (1, 2), 6) == [2]
    assert columns_of_place("further", (1, 2), 6) == [3, 4]
    assert columns_of_place("next", (3, 6), 6) == []


def test_windows_are_those_of_the_paper():
    assert list(window_of(20, 10, 48)) == list(range(15, 25))
    assert list(window_of(2, 10, 48)) == list(range(7))
    assert list(window_of(46, 9, 48)) == list(range(42, 48))
    assert list(window_of(7, 1, 48)) == [7]


def test_more_draws_of_the_same_seed_begin_alike_and_prompts_are_independent(model):
    alone = causal_trace(model, PROMPTS[:1], SPANS[:1], target=[4], window=2, draws=2, noise=2.0, seed=3)
    again = causal_trace(model, PROMPTS[:1], SPANS[:1], target=[4], window=2, draws=2, noise=2.0, seed=3)
    other = causal_trace(model, PROMPTS[:1], SPANS[:1], target=[4], window=2, draws=2, noise=2.0, seed=4)
    np.testing.assert_array_equal(alone.values, again.values)
    assert np.abs(alone.values - other.values).max() > 1e-6


def test_what_cannot_be_normalised_is_left_out_and_counted(model):
    found = causal_trace(model, PROMPTS, SPANS, window=2, draws=1)
    data = found.data.copy(deep=True)
    data["total_effect"][:] = [0.5, -0.1, 1e-9, 0.2]
    data["effect"][:] = 0.15
    share, counts = normalised(type(found)(data, found.provenance))
    assert counts == {"below zero": 1, "undefined": 1, "outside": int(4 * data["there"].values[1].sum())}
    assert share.values[0, 0, 0] == pytest.approx(0.3)
    assert share.values[1, 0, 0] == pytest.approx(1.5)
    assert np.isnan(share.values[2]).all()
    assert np.isnan(share.sel(place="middle subject").values[3]).all()
    clipped, _ = normalised(type(found)(data, found.provenance), clip=True)
    assert clipped.values[1, 0, 0] == 1.0


def test_a_summary_is_means_intervals_and_peaks(model):
    prompts, spans = PROMPTS * 2, SPANS * 2
    found = causal_trace(model, prompts, spans, part="resid_post", window=1, draws=2, noise=1.0)
    values, counts = normalised(found)
    summary = summed_up(found)
    own = values.sel(place="last", layer=1).values
    assert summary.mean.sel(place="last", layer=1).item() == pytest.approx(np.nanmean(own))
    expected = 1.96 * np.nanstd(own, ddof=1) / np.sqrt(np.isfinite(own).sum())
    assert summary.half_width.sel(place="last", layer=1).item() == pytest.approx(expected)
    last = model.layer_count - 1
    assert summary.peaks["last"].value == summary.mean.sel(place="last").max().item()
    signs = np.sign(found["total_effect"].values).mean()  # all of it comes back at the end
    assert summary.mean.sel(place="last", layer=last).item() == pytest.approx(signs, abs=0.01)
    assert (summary.samples, summary.counts, summary.clipped) == (len(prompts), counts, False)
    assert np.nanmax(np.abs(summed_up(found, clip=True).mean)) <= 1.0
    nothing = Effects(found.data.assign(total_effect=0.0 * found["total_effect"]), found.provenance)
    with pytest.raises(InputError, match="nothing to restore"):
        summed_up(nothing)


def test_subjects_are_found_in_words_and_in_pieces_of_words(model, smollm2):
    assert subject_spans(model, PROMPTS[:2], ["w2 w3", "w9"]) == [(1, 3), None]
    text = "The city of Kuala Lumpur is the capital of"
    ((first, last),) = subject_spans(smollm2, [text], ["Kuala Lumpur"])
    ids = smollm2.encode([text])[0]
    assert "".join(smollm2.token_text(int(i)) for i in ids[first:last]) == " Kuala Lumpur"


def test_the_picture_shows_layers_and_places(model):
    found = causal_trace(model, PROMPTS[:1], SPANS[:1], window=2, draws=1)
    labels = [text.get_text() for text in found.plot().get_xticklabels()]
    assert labels == list(PLACES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"part": "z"}, "cannot be traced"),
        ({"draws": 0}, "at least 1"),
        ({"noise": 0.0}, "above 0"),
        ({"subjects": [(0, 9)]}, "not among its 6 tokens"),
        ({"subjects": [None]}, "not among"),
        ({"subjects": []}, "one for each"),
    ],
)
def test_bad_input_is_refused(model, changes, message):
    with pytest.raises(InputError, match=message):
        causal_trace(**{"model": model, "inputs": PROMPTS[:1], "subjects": SPANS[:1], **changes})


def test_a_model_without_sites_is_refused():
    with pytest.raises(CapabilityError, match="causal language model"):
        causal_trace(object(), PROMPTS, SPANS)


def test_smollm2_remembers_chile_at_the_subject(smollm2):
    prompt = "Santiago is the capital of"
    spans = subject_spans(smollm2, [prompt], ["Santiago"])
    found = causal_trace(smollm2, [prompt], spans, target=" Chile", window=6, every=5, draws=3)
    assert float(found["total_effect"][0]) > 0.1
    by_place = found["effect"][0].max("layer")
    assert float(by_place.sel(place="last subject")) > float(by_place.sel(place="further"))
