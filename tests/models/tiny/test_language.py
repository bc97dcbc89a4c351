"""Training small decoders: it learns, goes on after a kill, is paid for once, and says what is damaged."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate.errors import FileFormatError, InputError, ModelError  # noqa: E402
from explicate.models.tiny.decoder import Decoder  # noqa: E402
from explicate.models.tiny.language import DecoderRecipe, Sequences, loss_of, train_decoder  # noqa: E402
from explicate.runtime.files import cache_folder  # noqa: E402

DECODER = Decoder(tuple("abcdefgh"), layers=1, width=16, heads=2, mlp_width=32)
RECIPE = DecoderRecipe(steps=30, batch=16, learning_rate=1e-2, warmup=5, checkpoints=(0, 10), save_every=7)


@dataclass(frozen=True)
class Counting:
    """Words in their order from a random one on; weights count the last one only."""

    length: int = 5
    dies_at: int = -1

    def batch(self, rng, count):
        if count > 4:
            Counting.drawn += 1
            if Counting.drawn == self.dies_at:
                raise KeyboardInterrupt
        ids = (rng.integers(0, 8, (count, 1)) + np.arange(self.length)) % 8
        weights = np.zeros(ids.shape)
        weights[:, -1] = 1.0
        return Sequences(ids, weights)

    def __repr__(self):
        return f"Counting({self.length})"


Counting.drawn = 0


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "cache"))
    Counting.drawn = 0


def weights_of(trained):
    return {key: value.numpy().copy() for key, value in trained.model.module.state_dict().items()}


def same(first, second):
    return all(np.array_equal(first[key], second[key]) for key in first)


def test_it_learns_to_count():
    trained = train_decoder(DECODER, Counting(), DecoderRecipe(steps=150, batch=32, learning_rate=1e-2, warmup=5))
    scores = trained.model.predict(DECODER.encode(["a b c d", "f g h a"]))
    assert scores.argmax(axis=1).tolist() == [4, 1]
    assert trained.losses[-10:].mean() < 0.1 < trained.losses[0]


def test_a_killed_training_goes_on_to_the_same_weights():
    whole = train_decoder(DECODER, Counting(), RECIPE, cache=False)
    Counting.drawn = 0
    with pytest.raises(KeyboardInterrupt):
        train_decoder(DECODER, Counting(dies_at=20), RECIPE)
    Counting.drawn = 0
    again = train_decoder(DECODER, Counting(), RECIPE)
    assert Counting.drawn == RECIPE.steps - 14  # it was saved after 14 steps
    assert same(weights_of(whole), weights_of(again))
    np.testing.assert_array_equal(whole.losses, again.losses)
    for step in (0, 10, 30):
        assert same(weights_of(whole) | {}, weights_of(again))
        first, second = whole.at(step).module.state_dict(), again.at(step).module.state_dict()
        assert all(bool((first[key] == second[key]).all()) for key in first)


def test_a_second_training_costs_nothing_and_another_corpus_does():
    first = train_decoder(DECODER, Counting(), RECIPE)
    Counting.drawn = 0
    second = train_decoder(DECODER, Counting(), RECIPE)
    assert Counting.drawn == 0
    assert same(weights_of(first), weights_of(second))
    train_decoder(DECODER, Counting(length=4), RECIPE)
    assert Counting.drawn == RECIPE.steps


def test_fine_tuning_leaves_the_model_it_starts_from():
    base = train_decoder(DECODER, Counting(), RECIPE)
    before = weights_of(base)
    tuned = train_decoder(DECODER, Counting(length=3), RECIPE, start=base.model)
    assert same(before, weights_of(base))
    assert not same(before, weights_of(tuned))
    assert tuned.losses[0] < base.losses[0]
    np.testing.assert_array_equal(
        tuned.at(0).predict(DECODER.encode(["a b"])), base.model.predict(DECODER.encode(["a b"]))
    )


@dataclass(frozen=True)
class Accurate:
    every: int = 10
    least: float = 0.9

    def reached(self, model):
        scores = model.predict(DECODER.encode(["a b c d", "c d e f", "f g h a"]))
        return np.mean(scores.argmax(axis=1) == [4, 6, 1]) >= self.least


def test_training_ends_when_the_model_is_good_enough():
    recipe = DecoderRecipe(steps=1000, batch=32, learning_rate=1e-2, warmup=5, schedule="constant")
    trained = train_decoder(DECODER, Counting(), recipe, stop=Accurate())
    assert trained.steps < 300
    assert trained.steps % 10 == 0
    assert Accurate().reached(trained.model)
    assert train_decoder(DECODER, Counting(), recipe, stop=Accurate()).steps == trained.steps


def test_only_what_is_trainable_is_trained_and_kept():
    def only_the_unembedding(module):
        for name, weight in module.named_parameters():
            weight.requires_grad_(name.startswith("lm_head"))
        return module

    before = DECODER.build(0).state_dict()
    after = weights_of(train_decoder(DECODER, Counting(), RECIPE, adapt=only_the_unembedding, cache=False))
    changed = {key for key in after if not np.array_equal(after[key], before[key].numpy())}
    assert changed == {"lm_head.weight"}


def test_the_loss_is_the_weighted_mean_surprise():
    module = DECODER.build(0)
    ids = np.array([[0, 1, 2, 3], [4, 5, -1, -1]])
    weights = np.array([[9.0, 1.0, 0.0, 2.0], [9.0, 3.0, 5.0, 5.0]])
    with torch.no_grad():
        log = module(input_ids=torch.as_tensor(ids).clamp(min=0)).logits.log_softmax(-1).numpy()
        found = float(loss_of(module, Sequences(ids, weights)))
    expected = -(log[0, 0, 1] + 2 * log[0, 2, 3] + 3 * log[1, 0, 5]) / 6
    assert found == pytest.approx(expected, rel=1e-5)


def test_products_of_lower_precision_learn_the_same_in_weights_of_full_precision():
    whole = train_decoder(DECODER, Counting(), RECIPE)
    rough = train_decoder(DECODER, Counting(), dataclasses.replace(RECIPE, precision="bfloat16"))
    assert np.allclose(rough.losses[:5], whole.losses[:5], rtol=0.02)
    assert not np.array_equal(rough.losses, whole.losses)
    assert {str(weight.dtype) for weight in rough.model.module.parameters()} == {"torch.float32"}
    assert repr(RECIPE) == repr(dataclasses.replace(RECIPE, precision="bfloat16"))  # weights kept before stay found


@pytest.mark.parametrize("victim", ["step-30.safetensors", "done.json"])
def test_damaged_weights_are_named(victim):
    train_decoder(DECODER, Counting(), RECIPE)
    path = next(cache_folder("decoders").rglob(victim))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FileFormatError, match="delete"):
        train_decoder(DECODER, Counting(), RECIPE)


def test_a_damaged_state_to_go_on_from_is_named():
    with pytest.raises(KeyboardInterrupt):
        train_decoder(DECODER, Counting(dies_at=20), RECIPE)
    path = next(cache_folder("decoders").rglob("resume.safetensors"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match=r"resume\.safetensors"):
        train_decoder(DECODER, Counting(), RECIPE)


def test_a_diverging_training_is_an_error():
    with pytest.raises(ModelError, match="learning rate"):
        train_decoder(DECODER, Counting(), DecoderRecipe(steps=50, batch=8, learning_rate=1e30, warmup=0), cache=False)


@pytest.mark.parametrize(
    "changes", [{"schedule": "steep"}, {"precision": "int8"}, {"steps": 0}, {"checkpoints": (99999,)}]
)
def test_recipes_that_cannot_be_are_refused(changes):
    with pytest.raises(InputError):
        DecoderRecipe(**changes)


def test_weights_that_were_not_kept_are_an_error():
    trained = train_decoder(DECODER, Counting(), RECIPE, cache=False)
    with pytest.raises(InputError, match=r"\[0, 10, 30\]"):
        trained.at(5)
