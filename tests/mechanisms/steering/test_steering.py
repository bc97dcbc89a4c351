"""Directions from models, their algebra and files; steering with the cache against running everything again."""

import numpy as np
import pytest

from explicate.core.cost import measure
from explicate.core.explanation import Explanation
from explicate.core.interventions import Steer
from explicate.core.kinds import Direction
from explicate.core.sites import Site
from explicate.errors import InputError, SelectionError, SiteError
from explicate.mechanisms.steering import (
    ReadDirections,
    directions_of,
    read_directions,
    relative_sizes,
    scale_heads,
    set_coordinate,
    steer,
)
from explicate.mechanisms.steering.estimators import ESTIMATORS

POSITIVE = ["John and Mary went to the store.", "The cat sat.", "Anna gave a drink to Tom, and Tom ran away!"]
NEGATIVE = ["Is the value 3.14?", "Nobody knows the value of the drink today.", "The dog did not."]


@pytest.fixture
def direction(llama):
    rng = np.random.default_rng(0)
    return directions_of({"L1.resid_post": rng.normal(size=llama.width)}, model=llama)


def naive_tokens(model, prompt, interventions, count):
    """Greedy tokens, the whole text run again at each step under `interventions(prompt's tokens, all tokens)`."""
    ids = list(prompt)
    for _ in range(count):
        with model.intervene(*interventions(len(prompt), len(ids))):
            ids.append(int(model.predict(np.array([ids]))[0].argmax()))
    return ids[len(prompt) :]


# -- reading -----------------------------------------------------------------------------------------------------------


def test_reading_a_batch_is_reading_text_by_text(causal):
    found = read_directions(causal, POSITIVE, NEGATIVE, how="difference-of-means", layers=(0, -1), verify=True)
    assert [str(site) for site in found.sites] == ["L0.resid_post", "L2.resid_post"]
    for site, vector in zip(found.sites, found.values, strict=True):
        alone = [[causal.capture(text, [site])[site][0, -1] for text in texts] for texts in (POSITIVE, NEGATIVE)]
        np.testing.assert_allclose(vector, np.mean(alone[0], axis=0) - np.mean(alone[1], axis=0), atol=1e-4)
        typical = np.linalg.norm(np.concatenate(alone), axis=1).mean()
        assert float(found["typical_length"].sel(site=str(site))) == pytest.approx(typical, rel=1e-4)


def test_the_last_layer_is_read_before_the_final_norm(llama):
    found = read_directions(llama, POSITIVE, how="mean", layers=-1)
    raw = llama.capture(POSITIVE[0], ["L2.resid_post"])["L2.resid_post"][0, -1]
    state = llama.module(llama.batch(llama.encode(POSITIVE[0])).ids, output_hidden_states=True).hidden_states[-1]
    assert np.abs(state[0, -1].detach().numpy() - raw).max() > 0.1
    one = read_directions(llama, POSITIVE[:1], how="mean", layers=-1)
    np.testing.assert_allclose(one.values[0], raw, atol=1e-5)
    assert found.values.shape == (1, llama.width)


def test_several_estimators_for_one_reading(llama):
    method = ReadDirections(layers=(1,))
    with measure() as cost:
        found = method.fit_each(llama, POSITIVE, NEGATIVE)
    assert cost.evaluations == 6
    assert set(found) == set(ESTIMATORS)
    for how, direction in found.items():
        expected = read_directions(llama, POSITIVE, NEGATIVE, layers=1, how=how)
        np.testing.assert_array_equal(direction.values, expected.values)
        assert direction.provenance.parameters["how"] == how


def test_heads_are_read_by_address(llama):
    found = read_directions(llama, POSITIVE, NEGATIVE, sites=["L1.z.H3", "L2.z.H0"])
    assert found.values.shape == (2, 8)
    for bad in ("z", ["L1.z"], ["L1.pattern.H0"]):
        with pytest.raises(SiteError):
            read_directions(llama, POSITIVE, NEGATIVE, sites=bad)


def test_layers_outside_are_refused(llama):
    for layer in (3, -4):
        with pytest.raises(IndexError, match="3 layers"):
            read_directions(llama, POSITIVE, NEGATIVE, layers=layer)
    with pytest.raises(SelectionError):
        read_directions(llama, POSITIVE, NEGATIVE, layers=0, position=5)


# -- algebra and files -------------------------------------------------------------------------------------------------


def test_algebra(llama):
    a = read_directions(llama, POSITIVE, NEGATIVE)
    b = read_directions(llama, POSITIVE, how="mean")
    np.testing.assert_allclose((a + 2 * b).values, a.values + 2 * b.values)
    np.testing.assert_allclose((a - b / 2).values, a.values - b.values / 2)
    np.testing.assert_allclose((-a).cosine(a), -1.0)
    np.testing.assert_allclose(a.unit().lengths, 1.0)
    np.testing.assert_allclose(a.relative(0.1).lengths, 0.1 * a["typical_length"])
    np.testing.assert_allclose(a.at("L2.resid_post").values, a.values[2:])
    assert "agreement" in (3 * a).data
    assert "agreement" not in (a + b).data
    assert "agreement" not in (-a).data
    with pytest.raises(InputError, match="same sites"):
        a + b.at("L0.resid_post")
    with pytest.raises(SiteError, match=r"no direction for L0\.z\.H1"):
        a.at("L0.z.H1")
    with pytest.raises(InputError, match="zeros"):
        (0 * a).unit()


def test_a_file_gives_the_same_direction(llama, tmp_path):
    found = read_directions(llama, POSITIVE, NEGATIVE, how="pca-of-differences", standardize=True)
    again = Explanation.load(found.save(tmp_path / "direction.nc"))
    assert isinstance(again, Direction)
    np.testing.assert_array_equal(again.values, found.values)
    assert again.sites == found.sites
    assert again.provenance == found.provenance
    np.testing.assert_array_equal(again["agreement"], found["agreement"])


# -- steering ----------------------------------------------------------------------------------------------------------


def test_strength_zero_is_the_plain_model_bit_by_bit(causal):
    direction = read_directions(causal, POSITIVE, NEGATIVE)
    ids = causal.encode(POSITIVE)
    plain = causal.predict(ids)
    for tokens in ("all", "prompt", "new", "last"):
        with causal.intervene(steer(direction, 0.0, tokens=tokens)):
            np.testing.assert_array_equal(causal.predict(ids), plain)


@pytest.mark.parametrize("tokens", ["all", "prompt", "new", "last"])
@pytest.mark.parametrize("what", ["add", "add, norm kept", "set", "head"])
def test_writing_with_the_cache_is_running_everything_again(causal, tokens, what):
    rng = np.random.default_rng(1)
    direction = directions_of({"L1.resid_post": rng.normal(size=causal.width) * 3}, model=causal)

    def change(tokens):
        if what == "head":
            return scale_heads({"L1.head_out.H1": -3.0}, tokens=tokens)
        if what == "set":
            return set_coordinate(direction, 10.0, tokens=tokens)
        return steer(direction, 2.0, keep_norm="norm" in what, tokens=tokens)

    def explicit(prompt, now):
        """The same through positions, as one plain pass over the whole text has them."""
        places = {"all": range(now), "prompt": range(prompt), "new": range(prompt, now), "last": [prompt - 1]}[tokens]
        if not places:
            return []
        return [type(part)(part.address.at(*places), **_fields(part)) for part in change("all")]

    prompts = [causal.encode(text)[0].tolist() for text in (POSITIVE[0], "The cat sat on", NEGATIVE[1])]
    with causal.intervene(change(tokens)):
        written = causal.generate_tokens(prompts, max_new_tokens=6)
    for prompt, found in zip(prompts, written, strict=True):
        assert found == naive_tokens(causal, prompt, explicit, 6)[: len(found)]


def _fields(part):
    return {name: value for name, value in vars(part).items() if name not in ("site", "tokens")}


def test_new_tokens_of_a_given_continuation(llama, direction):
    prompts, rest = ["John and Mary went", "The cat"], [" to the store", " sat on the mat"]
    plain = llama.log_probabilities(prompts, rest)
    with llama.intervene(steer(direction, 5.0, tokens="new")):
        steered = llama.log_probabilities(prompts, rest)
    for before, after in zip(plain, steered, strict=True):
        assert after[0] == pytest.approx(before[0], abs=1e-5)  # the prompt's last token gives it
        assert np.abs(after[1:] - before[1:]).min() > 1e-4


def test_padding_is_never_steered(causal):
    texts = ["The cat", POSITIVE[2]]
    direction = directions_of({"L1.resid_post": np.ones(causal.width)}, model=causal)
    with causal.intervene(steer(direction, 3.0)):
        together = causal.predict(causal.encode(texts))
        alone = [causal.predict(causal.encode(text))[0] for text in texts]
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_setting_a_coordinate_is_idempotent_and_exact(llama, direction):
    unit = direction.unit().values[0]
    for times in (1, 2):
        with llama.intervene(*[set_coordinate(direction, -1.5)] * times):
            seen = llama.capture(POSITIVE[0], ["L2.resid_pre"])["L2.resid_pre"][0]
        np.testing.assert_allclose(seen @ unit, -1.5, atol=1e-4)


def test_keeping_the_norm(llama, direction):
    with llama.intervene(steer(direction, 4.0, keep_norm=True)):
        seen = llama.capture(POSITIVE[0], ["L2.resid_pre"])["L2.resid_pre"][0]
    plain = llama.capture(POSITIVE[0], ["L2.resid_pre"])["L2.resid_pre"][0]
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), np.linalg.norm(plain, axis=1), rtol=1e-4)
    added = plain + 4 * direction.values[0]
    np.testing.assert_allclose(seen / np.linalg.norm(seen), added / np.linalg.norm(added), atol=0.3)


def test_relative_sizes_and_their_warning(llama):
    direction = read_directions(llama, POSITIVE, NEGATIVE, layers=1)
    sizes = relative_sizes(direction.relative(0.5), [-1.0, 0.0, 2.0])
    np.testing.assert_allclose(sizes, [[0.5], [0.0], [1.0]])
    with pytest.warns(UserWarning, match=r"3\.0 times the length"):
        steer(direction.relative(1.0), 3.0)


def test_what_does_not_fit_is_refused(llama, direction):
    wide = directions_of({"L1.resid_post": np.ones(llama.width + 1)})
    with pytest.raises(ValueError, match="width 33"):
        steer(wide, model=llama)
    with pytest.raises(InputError, match="width 33"), llama.intervene(steer(wide)):
        llama.predict(llama.encode("The cat"))
    with pytest.raises(SiteError, match="3 layers"):
        steer(directions_of({"L3.resid_post": np.ones(llama.width)}), model=llama)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="finite"):
            steer(direction, bad)
        with pytest.raises(InputError, match="finite"):
            set_coordinate(direction, bad)
    with pytest.raises(InputError, match="tokens 'first' is unknown"):
        steer(direction, tokens="first")
    with pytest.raises(InputError, match="leave them out"):
        Steer(Site("resid_post", 1, None, (0,)), np.ones(llama.width), tokens="new")
    with pytest.raises(InputError, match="no head's output"):
        scale_heads({"L1.resid_post": 2.0})


def test_another_model_of_the_same_width_is_warned_of(llama, small):
    other = small("llama", name="another")
    direction = read_directions(llama, POSITIVE, NEGATIVE, layers=1)
    with pytest.warns(UserWarning, match="not from 'another'"):
        steer(direction, model=other)
