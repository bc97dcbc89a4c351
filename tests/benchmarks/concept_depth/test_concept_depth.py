"""Concept depth on banks whose depth is known, on small models, and on SmolLM2."""

import importlib

import numpy as np
import pytest

from explicate.benchmarks.concept_depth import (
    ConceptDepth,
    ProbingTask,
    anchor,
    bag_of_words,
    depth_points,
    depth_table,
    difficulty_correlation,
    encoded,
    layer_bank,
    sentiment_task,
    shifts,
)
from explicate.core.kinds import Profile
from explicate.errors import CapabilityError, InputError, TargetError, WindowError
from explicate.mechanisms.probing import layer_profile
from explicate.mechanisms.probing.estimators import EstimatorProbe
from explicate.models.chat import ScriptedChat
from explicate.models.tiny.decoder import Decoder
from explicate.report.profiles import depth_curves

WORDS = (*"abcdefgh", "yes", "no", "YES", "NO", "?", "is", "it", "so", "Is", "the", "statement", "true?",
         "Answer", "with", "Yes", "or", "No", "only.", "Your", "answer")  # fmt: skip
zero_shot = importlib.import_module("explicate.benchmarks.concept_depth.anchor")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def decoder():
    shape = Decoder(WORDS, layers=3, width=32, heads=4, mlp_width=64, context=24)
    return shape.handle(shape.build(0))


def toy(count=60, **changes):
    """Texts of letters; the label is whether there is an a."""
    rng = np.random.default_rng(1)
    texts, labels = [], []
    for number in range(count):
        letters = rng.choice(list("bcdefgh"), rng.integers(3, 8)).tolist()
        if number % 2:
            letters[int(rng.integers(len(letters)))] = "a"
        texts.append(" ".join(letters))
        labels.append(number % 2)
    given = {"instruction": "is it so ?", "placement": "after", "subjects": tuple(str(i // 3) for i in range(count))}
    return ProbingTask("toy", tuple(texts), np.array(labels), "has an a", "factual", **{**given, **changes})


@pytest.mark.parametrize("start", [3, 9, 20])
def test_depth_points_of_a_bank_are_where_the_label_was_planted(start):
    labels = RNG.integers(0, 2, 2000)
    profile = layer_profile(layer_bank(labels, 24, start), labels, intervals=False)
    points = depth_points(profile)
    assert points.jump == points.converge == points.held == start / 24
    assert depth_points(profile, "paper").converge == 1.0
    assert points.accuracy == pytest.approx(0.95, abs=0.02)
    assert ((profile.curve("control") > 0.45) & (profile.curve("control") < 0.55)).all()
    assert points.selectivity == pytest.approx(0.45, abs=0.05)


def test_both_sites_are_what_the_model_computes(decoder, tmp_path):
    task = toy()
    shards, _ = ConceptDepth().activations(decoder, task, tmp_path / "stream")
    norms, _ = ConceptDepth(site="post_attention_norm").activations(decoder, task, tmp_path / "norm")
    alone = [decoder.capture(task.prompts()[row], ["L1.resid_post@-1", "L1.resid_mid@-1"]) for row in range(8)]
    stream = np.stack([each["L1.resid_post@-1"][0, 0] for each in alone])
    np.testing.assert_allclose(shards.read("L1.resid_post")[:8, 0], stream, atol=1e-4)
    middle = np.stack([each["L1.resid_mid@-1"][0, 0] for each in alone])
    scale = decoder.blocks[1].post_attention_layernorm
    expected = middle / np.sqrt((middle**2).mean(-1, keepdims=True) + scale.variance_epsilon)
    expected = expected * scale.weight.detach().numpy()
    np.testing.assert_allclose(norms.read("model.layers.1.post_attention_layernorm")[:8, 0], expected, atol=1e-4)


def test_every_option_leaves_its_mark_on_the_profile(decoder):
    task = toy()
    for method in (
        ConceptDepth(repeats=2),
        ConceptDepth(repeats=2, split="subjects", noise=False, bits=8),
        ConceptDepth(site="post_attention_norm", probe=EstimatorProbe(), split="repo"),
        ConceptDepth(repeats=2, probe=EstimatorProbe("random-forest", trees=10), control="none"),
    ):
        profile = method.run(decoder, task)
        facts = profile.data.attrs
        assert (facts["task"], facts["positive"], facts["split"]) == ("toy", "has an a", method.split)
        assert facts["bits"] == method.bits
        assert facts["layers"] == len(profile.curve()) == 3
        assert facts["repeats"] == (1 if method.split == "repo" else 2)
        assert 0.8 < facts["words"] <= 1.0  # one word decides
        assert profile.provenance.parameters["site"] == method.site
        assert profile.provenance.evaluations == 60
        assert ("control" in profile.data) == (method.control == "shuffled")


def test_the_published_split_is_scikit_learns_with_seed_42(decoder):
    from sklearn.model_selection import train_test_split

    rows = ConceptDepth(split="repo")._split(toy(), seed=5)
    assert set(np.flatnonzero(rows)) == set(train_test_split(range(60), test_size=0.4, random_state=42)[0])


def test_the_embedding_of_a_last_word_that_never_changes_is_chance_and_no_depth(decoder):
    profile = ConceptDepth(embedding=True, repeats=3).run(decoder, toy())
    assert profile["layer"].values.tolist() == [-1, 0, 1, 2]
    assert profile["score"].values[0, 0] == pytest.approx(0.5, abs=0.02)
    assert depth_points(profile).layers == 3


def test_an_untrained_model_stands_beside(decoder, tmp_path):
    shape = Decoder(WORDS, layers=3, width=32, heads=4, mlp_width=64, context=24)
    profile = ConceptDepth(repeats=2).run(decoder, toy(), untrained=shape.handle(shape.build(0)), folder=tmp_path)
    np.testing.assert_allclose(profile["untrained"].values, profile["score"].values)
    assert (tmp_path / "untrained").is_dir()


def test_long_texts_are_cut_from_the_left_and_never_the_instruction(decoder):
    long = tuple("a " * 30 + "b c" for _ in range(40)) + toy(40).texts
    task = toy(80, placement="around", cue="so ?", instruction="is it ")
    task = ProbingTask("long", long, np.arange(80) % 2, "", "factual", "is it ", "around", "so ?")
    ids, cut = encoded(decoder, task)
    assert cut == 40
    words = decoder.decode(ids[:1])[0].split()
    assert len(words) == 24
    assert words[:2] == ["is", "it"]
    assert words[-4:] == ["b", "c", "so", "?"]
    assert decoder.decode(ids[40:41])[0] == task.prompts()[40]
    assert ConceptDepth(repeats=1).run(decoder, task).data.attrs["truncated"] == 40
    with pytest.raises(WindowError, match="leaves no room for its text"):
        encoded(decoder, toy(instruction="so " * 30))


def test_noise_is_read_with_the_text(smollm2):
    task = sentiment_task(60)
    plain, _ = encoded(smollm2, task)
    noisy, _ = encoded(smollm2, task, noise=True, seed=3)
    assert smollm2.decode(noisy[:3]) == task.prompts(noise=True, seed=3)[:3]
    assert not np.array_equal(plain, noisy)


def test_the_anchor_adds_up_the_spellings_of_yes_and_no(decoder):
    task = toy(yes=1)
    found = anchor(decoder, task)
    chances = []
    for text in task.texts:
        logits = decoder.predict(
            decoder.encode(f"{text} Is the statement true? Answer with Yes or No only. Your answer is")
        )
        spread = np.exp(logits[0] - logits[0].max())
        spread /= spread.sum()
        chances.append(
            [sum(spread[WORDS.index(w)] for w in pair) for pair in (("yes", "Yes", "YES"), ("no", "No", "NO"))]
        )
    yes, no = np.array(chances).T
    assert found.accuracy == pytest.approx(np.mean((yes > no) == task.labels))
    assert found.said_yes == pytest.approx(np.mean(yes > no))
    assert found.true_positive_rate == pytest.approx(np.mean((yes > no)[task.labels == 1]))
    assert found.false_positive_rate == pytest.approx(np.mean((yes > no)[task.labels == 0]))
    assert found.answered == pytest.approx(np.mean(yes + no), abs=1e-5)


def test_a_model_without_a_word_for_yes_is_not_anchored(decoder, monkeypatch):
    monkeypatch.setattr(zero_shot, "YES", (" a b", " c d"))
    with pytest.raises(TargetError, match="none of ' a b', ' c d' is one token"):
        anchor(decoder, toy())


def profile_of(curve, task, group, noise=0, bits=32):
    labels = np.arange(400) % 2
    given = {
        f"L{i}.resid_post": labels[:, None] * (1.0 if value else 0.0) + 0.01 * RNG.normal(size=(400, 1))
        for i, value in enumerate(curve)
    }
    found = layer_profile(given, labels, repeats=1, intervals=False)
    found.data.attrs.update(task=task, group=group, positive="odd", noise=noise, bits=bits, split="rows", words=0.5)
    return Profile(found.data, found.provenance)


def test_the_table_orders_tasks_by_depth_and_counts_the_layers_that_disturbances_move_them():
    profiles = [
        profile_of([0, 0, 0, 1], "coins", "inferential"),
        profile_of([1, 1, 1, 1], "capitals", "factual"),
        profile_of([0, 1, 1, 1], "films", "emotional"),
        profile_of([0, 0, 1, 1], "films", "emotional", noise=1),
        profile_of([0, 1, 1, 1], "films", "emotional", bits=8),
    ]
    table = depth_table(profiles)
    clean = table[~table["noise"] & (table["bits"] == 32)]
    assert clean["task"].tolist() == ["capitals", "films", "coins"]
    assert clean["converge"].tolist() == [0.25, 0.5, 1.0]
    assert difficulty_correlation(clean) == 1.0
    moved = shifts(table).set_index(["noise", "bits"])
    assert moved.loc[(True, 32), "converge_layers"] == 1
    assert moved.loc[(False, 8), "converge_layers"] == 0
    with pytest.raises(InputError, match="needs three tasks"):
        difficulty_correlation(clean[:2])
    with pytest.raises(InputError, match="no undisturbed profile of films"):
        shifts(table[table["noise"] | (table["task"] != "films")])


def test_curves_of_tasks_are_drawn_over_depth_with_their_marks():
    profiles = {name: profile_of([0, 1, 1], name, "factual") for name in ("one", "two")}
    axes = depth_curves(profiles, marks={"one": 2 / 3})
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "two"]
    assert axes.lines[0].get_xdata().tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert len(axes.lines) == 5


def test_words_are_counted():
    counts = bag_of_words(["a b b", "b c"])
    assert counts.tolist() == [[1, 2, 0], [0, 1, 1]]


def test_bad_requests_are_named(decoder):
    task = toy()
    with pytest.raises(CapabilityError, match="concept-depth needs readable and writable sites"):
        ConceptDepth().run(ScriptedChat(lambda messages: "yes"), task)
    for method, message in (
        (ConceptDepth(bits=5), "bits is 5; use one of 4, 8, 16, 32"),
        (ConceptDepth(site="stream"), "site 'stream' is no kind of layer site"),
        (ConceptDepth(split="half"), "split 'half' is unknown"),
    ):
        with pytest.raises(ValueError, match=message):
            method.run(decoder, task)
    with pytest.raises(InputError, match="does not say what its texts are about"):
        ConceptDepth(split="subjects").run(decoder, toy(subjects=None))
    with pytest.raises(InputError, match="known_from is 0"):
        layer_bank(np.arange(4), known_from=0)


def test_sentiment_is_read_off_a_real_model_by_half_depth_and_words_alone_do_worse(smollm2):
    profile = ConceptDepth(repeats=2, control="none").run(smollm2, sentiment_task(160))
    half = profile.curve()[:15].max()
    assert half > 0.7
    assert half > profile.data.attrs["words"] + 0.1
