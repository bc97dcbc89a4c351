"""Responses against one plain pass a strength; choosing and testing; refusals. On random models and on SmolLM2."""

import numpy as np
import pytest
import torch

from explicate.core.explanation import Explanation
from explicate.core.kinds import DoseResponse
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.evaluation.dose_response import against_plain, chosen_strength, dose_response
from explicate.mechanisms.steering import directions_of, random_direction, read_directions, steer, tossed_pairs

PROMPTS = [
    "When John and Mary went to the store, John gave a drink to",
    "The cat sat on the",
    "Nobody knows the value of",
]
STRENGTHS = (-1.0, -0.5, 0.0, 0.5, 1.0)


def naive(model, direction, answers, **options):
    """Log-probabilities (strength, sample, token), one `intervene` a strength."""
    found = []
    for strength in STRENGTHS:
        with model.intervene(steer(direction, strength, **options)):
            found.append(torch.as_tensor(model.predict(model.encode(PROMPTS))).double().log_softmax(-1).numpy())
    return np.stack(found)


def agree(model, direction, answers, ids, **options):
    found = dose_response(model, PROMPTS, direction, STRENGTHS, answers=answers, correct=[0, 1, 2], **options)
    expected = naive(model, direction, answers, **options)
    plain = expected[STRENGTHS.index(0.0)]
    np.testing.assert_allclose(found["divergence"], (np.exp(plain) * (plain - expected)).sum(-1), atol=1e-4)
    np.testing.assert_allclose(found["entropy"], -(np.exp(expected) * expected).sum(-1) / np.log(2), atol=1e-3)
    np.testing.assert_allclose(found["answer_mass"], np.exp(expected[..., ids]), atol=1e-4)
    np.testing.assert_array_equal(found["top"], expected.argmax(-1))
    return found


@pytest.mark.parametrize("options", [{}, {"keep_norm": True}, {"tokens": "last"}, {"tokens": "prompt"}])
@pytest.mark.parametrize("site", ["L0.resid_post", "L2.resid_post", "L1.attn_out", "L1.z.H2"])
def test_as_one_pass_a_strength(llama, site, options):
    width = 8 if ".z." in site else llama.width
    direction = directions_of({site: 4 * np.random.default_rng(0).normal(size=width)}, model=llama)
    answers = [5, 17, 40]
    found = agree(llama, direction, answers, answers, **options)
    assert found.data.attrs["way"] == "fused"
    assert (found["divergence"].sel(strength=0.0) == 0).all()
    expected = np.linalg.norm(direction.values) * np.abs(STRENGTHS)
    seen = llama.capture(PROMPTS, [f"{site}@-1"])[f"{site}@-1"]
    np.testing.assert_allclose(
        found["relative_size"].values[:, 0], expected / np.linalg.norm(seen, axis=-1).mean(), rtol=1e-4
    )


def test_on_smollm2(smollm2):
    direction = read_directions(smollm2, PROMPTS, PROMPTS[::-1], layers=15, how="pca-of-differences", standardize=True)
    answers = ["Mary", "mat", "money"]
    found = agree(smollm2, direction, answers, [smollm2.token_index(answer) for answer in answers])
    assert found.data.attrs["forwards"] < 0.55 * 4 * 3 + 3  # 14 of 30 layers run again
    frame = found.to_frame()
    assert frame["wrong to right"][2] == frame["right to wrong"][2] == 0
    total = frame["right mass among answers"] + frame["wrong mass among answers"]
    np.testing.assert_allclose(total, 1.0)


def test_neutral_texts_cost_what_the_model_says(llama):
    direction = directions_of({"L1.resid_post": np.ones(llama.width)}, model=llama)
    text = "Anna and Tom went to the park, and Tom gave a ball to Anna."
    found = dose_response(llama, PROMPTS[:1], direction, (0.0, 2.0), neutral=[text])
    ids = llama.encode(text)[0]
    half = len(ids) // 2
    logits = torch.as_tensor(llama.logits(text)).log_softmax(-1).numpy()
    expected = -np.mean([logits[i - 1, ids[i]] for i in range(half, len(ids))])
    assert found["neutral_loss"].values[0, 0] == pytest.approx(expected, rel=1e-4)
    assert found["neutral_loss"].values[1, 0] != pytest.approx(expected, rel=1e-3)
    assert found.to_frame()["neutral perplexity"][0] == pytest.approx(np.exp(expected), rel=1e-4)
    plain = torch.as_tensor(llama.predict(ids[None, :half])).log_softmax(-1)
    with llama.intervene(steer(direction, 2.0)):
        steered = torch.as_tensor(llama.predict(ids[None, :half])).log_softmax(-1)
    shift = float((plain.exp() * (plain - steered)).sum())
    np.testing.assert_allclose(found["neutral_divergence"].values[:, 0], [0.0, shift], rtol=1e-3)
    np.testing.assert_allclose(found.to_frame()["neutral divergence (nats)"], [0.0, shift], rtol=1e-3)


def test_files_and_pictures(llama, tmp_path):
    direction = directions_of({"L1.resid_post": np.ones(llama.width)}, model=llama)
    found = dose_response(llama, PROMPTS, direction, STRENGTHS, answers=[5, 6], correct=[0, 0, 1])
    again = Explanation.load(found.save(tmp_path / "response.nc"))
    assert isinstance(again, DoseResponse)
    np.testing.assert_array_equal(again.right, found.right)
    labels = {line.get_label() for axes in found.plot().figure.axes for line in axes.lines}
    assert {"accuracy", "mass of the right answer", "divergence (nats)", "entropy (bits)"} <= labels
    assert "svg" in found._repr_html_() or "img" in found._repr_html_()


def test_refusals(llama):
    direction = directions_of({"L1.resid_post": np.ones(llama.width)}, model=llama)
    cases = [
        ({"answers": ["Mary", "Mary."], "correct": [0] * 3}, "Mary, Mary. begin with the same token"),
        ({"answers": ["Mary", "John"], "correct": [0]}, "1 right answers for 3"),
        ({"answers": ["Mary", "John"], "correct": ["cat"] * 3}, "'cat' is not among Mary, John"),
        ({"answers": ["Mary", "John"], "correct": [2] * 3}, "place 2 is outside"),
        ({"answers": [["Mary"], ["John"]]}, "answers for 2 of 3 prompts"),
        ({"strengths": (0.0, float("nan"))}, "finite"),
        ({"tokens": "new"}, "new tokens"),
        ({"neutral": ["The"]}, "too short"),
    ]
    for options, message in cases:
        with pytest.raises(InputError, match=message):
            dose_response(llama, PROMPTS, direction, **options)


# -- choosing and testing ----------------------------------------------------------------------------------------------


def made(right, divergence=None):
    """A response with given right answers (strength, sample)."""
    import xarray as xr

    right = np.asarray(right)
    mass = np.stack([right, 1 - right], axis=-1) * 0.8 + 0.1
    both = ("strength", "sample")
    data = xr.Dataset(
        {
            "divergence": (both, np.zeros(right.shape) if divergence is None else divergence),
            "entropy": (both, np.zeros(right.shape)),
            "answer_mass": ((*both, "answer"), mass),
            "correct": (("sample",), np.zeros(right.shape[1], dtype=int)),
        },
        coords={"strength": np.linspace(-1, 1, len(right))},
    )
    return DoseResponse(data, Provenance("made"))


def test_the_most_accurate_is_chosen_and_of_equals_the_cheapest():
    one = made([[0, 0, 1, 1], [1, 0, 1, 0], [1, 1, 1, 0]], np.array([[1.0] * 4, [0.0] * 4, [1.0] * 4]))
    two = made([[0, 0, 1, 1], [1, 0, 1, 0], [1, 1, 0, 1]], np.array([[1.0] * 4, [0.0] * 4, [0.5] * 4]))
    choice = chosen_strength({"one": one, "two": two})
    assert (choice.name, choice.strength, choice.accuracy, choice.plain) == ("two", 1.0, 0.75, 0.5)
    nothing = made([[0, 0], [1, 0], [0, 1]], np.array([[1.0] * 2, [0.0] * 2, [1.0] * 2]))
    assert chosen_strength({"nothing": nothing}).strength == 0.0


def test_a_chosen_strength_is_tested_on_flips():
    before = np.array([1] * 40 + [0] * 60)
    after = before.copy()
    after[50:65] = 1  # 15 gained
    after[:3] = 0  # 3 lost
    found = against_plain(made([before * 0, before, after]), 1.0)
    assert (found.gained, found.lost) == (15, 3)
    assert found.p == pytest.approx(2 * sum(_choose(18, k) for k in range(4)) / 2**18)
    assert found.difference.value == pytest.approx(0.12)
    assert found.plain.value == pytest.approx(0.4)


def _choose(n, k):
    from math import comb

    return comb(n, k)


# -- controls ----------------------------------------------------------------------------------------------------------


def test_random_directions_have_the_same_length_and_no_common_direction(llama):
    direction = read_directions(llama, PROMPTS, PROMPTS[::-1], how="difference-of-means")
    direction = direction + read_directions(llama, PROMPTS, how="mean")
    found = [random_direction(direction, seed) for seed in range(2)]
    for one in found:
        np.testing.assert_allclose(one.lengths, direction.lengths)
    assert np.abs(found[0].cosine(found[1])).max() < 0.8
    np.testing.assert_array_equal(random_direction(direction, 1).values, found[1].values)


def test_tossed_pairs_stay_pairs():
    positive, negative = list(range(100)), list(range(100, 200))
    one, two = tossed_pairs(positive, negative, seed=0)
    assert all({a, b} == {i, i + 100} for i, (a, b) in enumerate(zip(one, two, strict=True)))
    assert 30 < sum(a < 100 for a in one) < 70
