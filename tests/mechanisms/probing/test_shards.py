"""Activations on disk are those of `capture`, whatever the batch, and survive a kill."""

import json

import numpy as np
import pytest

from explicate.errors import CapabilityError, FileFormatError, InputError, SelectionError, SiteError
from explicate.mechanisms.probing import Shards, capture_shards, layer_profile
from explicate.models.chat import ScriptedChat

TEXTS = ["Mary went to the store.", "Tom", "a b c d e f", "John and Mary gave a ball to Anna.", "one two"]
SITES = ("embed", "L0.resid_post", "L1.mlp_act", "L1.z", "L0.head_out.H2", "L1.resid_mid")


def expected(model, site, position):
    """One text at a time, by `capture`."""
    found = [model.capture(text, [f"{site}@{position}"])[f"{site}@{position}"][0] for text in TEXTS]
    return np.stack([each.reshape(-1) for each in found])


def test_shards_hold_what_capture_gives_text_by_text(causal, tmp_path):
    shards = capture_shards(causal, TEXTS, SITES, tmp_path / "shards", positions=(0, -1), rows=2)
    assert [str(site) for site in shards.sites] == list(SITES)
    for site in SITES:
        found = shards.read(site)
        for number, position in enumerate((0, -1)):
            np.testing.assert_allclose(found[:, number], expected(causal, site, position), atol=1e-4)


def test_batches_of_one_and_of_eight_agree(causal, tmp_path):
    texts = TEXTS + [text + " and so on" for text in TEXTS]
    together = capture_shards(causal, texts, ["L1.resid_post"], tmp_path / "eight")
    causal.chunk = 1
    try:
        alone = capture_shards(causal, texts, ["L1.resid_post"], tmp_path / "one")
    finally:
        causal.chunk = None
    np.testing.assert_allclose(together.read("L1.resid_post"), alone.read("L1.resid_post"), atol=1e-4)


def test_positions_may_differ_by_text_and_be_averaged(llama, tmp_path):
    lengths = [(row >= 0).sum() for row in llama.encode(TEXTS)]
    places = np.array([[length // 2] for length in lengths])
    shards = capture_shards(llama, TEXTS, ["L0.resid_post"], tmp_path / "own", positions=places)
    mean = capture_shards(llama, TEXTS, ["L0.resid_post"], tmp_path / "mean", positions="mean", rows=3)
    whole = llama.capture(TEXTS, ["L0.resid_post"])["L0.resid_post"]
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(shards.read("L0.resid_post")[row, 0], whole[row, length // 2], atol=1e-5)
        np.testing.assert_allclose(mean.read("L0.resid_post")[row, 0], whole[row, :length].mean(axis=0), atol=1e-5)


def test_half_precision_files_are_close_and_half_as_large(llama, tmp_path):
    full = capture_shards(llama, TEXTS, ["L0.resid_post"], tmp_path / "full")
    half = capture_shards(llama, TEXTS, ["L0.resid_post"], tmp_path / "half", dtype="float16")
    np.testing.assert_allclose(half.read("L0.resid_post"), full.read("L0.resid_post"), rtol=2e-3, atol=1e-3)


def test_a_killed_capture_goes_on_where_it_was(llama, tmp_path, monkeypatch):
    folder = tmp_path / "shards"
    whole = capture_shards(llama, TEXTS, ["L0.resid_post"], folder, rows=2).read("L0.resid_post")
    (folder / "part-00001.arrow").unlink()
    passed = []
    original = llama.passes
    monkeypatch.setattr(llama, "passes", lambda ids, watch: passed.append(len(ids)) or original(ids, watch))
    again = capture_shards(llama, TEXTS, ["L0.resid_post"], folder, rows=2)
    assert passed == [2]
    np.testing.assert_array_equal(again.read("L0.resid_post"), whole)


def test_a_folder_of_other_activations_is_refused(llama, gemma, tmp_path):
    folder = tmp_path / "shards"
    capture_shards(llama, TEXTS, ["L0.resid_post"], folder)
    for model, texts, sites, options, what in (
        (gemma, TEXTS, ["L0.resid_post"], {}, "model"),
        (llama, TEXTS[:-1], ["L0.resid_post"], {}, "inputs"),
        (llama, TEXTS, ["L1.resid_post"], {}, "sites"),
        (llama, TEXTS, ["L0.resid_post"], {"positions": 0}, "positions"),
        (llama, TEXTS, ["L0.resid_post"], {"dtype": "float16"}, "dtype"),
    ):
        with pytest.raises(InputError, match=f"activations with other {what}"):
            capture_shards(model, texts, sites, folder, **options)


def test_damaged_files_are_one_clear_error(llama, tmp_path):
    folder = tmp_path / "shards"
    shards = capture_shards(llama, TEXTS, ["L0.resid_post"], folder)
    (folder / "part-00000.arrow").write_bytes(b"ARROW1 and nothing more")
    with pytest.raises(FileFormatError, match=r"part-00000\.arrow cannot be read"):
        shards.read("L0.resid_post")
    (folder / "activations.json").write_text("{")
    with pytest.raises(FileFormatError, match="is no JSON"):
        Shards.open(folder)
    (folder / "activations.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(FileFormatError, match="has format 99"):
        Shards.open(folder)
    with pytest.raises(InputError, match="holds no activations"):
        Shards.open(tmp_path)


def test_bad_requests_are_named(llama, tmp_path):
    with pytest.raises(InputError, match="sites with a width"):
        capture_shards(llama, TEXTS, ["L0.pattern"], tmp_path)
    with pytest.raises(InputError, match="sites with a width"):
        capture_shards(llama, TEXTS, ["L0.resid_post@-1"], tmp_path)
    with pytest.raises(SelectionError, match="text 0 has 7 tokens, so it has no position -9"):
        capture_shards(llama, TEXTS, ["L0.resid_post"], tmp_path, positions=-9)
    with pytest.raises(InputError, match="positions 'first' is unknown"):
        capture_shards(llama, TEXTS, ["L0.resid_post"], tmp_path, positions="first")
    with pytest.raises(CapabilityError, match="capture_shards needs readable and writable sites"):
        capture_shards(ScriptedChat(lambda messages: "yes"), TEXTS, ["L0.resid_post"], tmp_path)
    shards = capture_shards(llama, TEXTS, ["L0.resid_post"], tmp_path / "shards")
    with pytest.raises(SiteError, match=r"L1.resid_post was not captured; captured are L0.resid_post"):
        shards.read("L1.resid_post")


def test_a_real_model_holds_its_last_word_early(smollm2, tmp_path):
    rng = np.random.default_rng(0)
    words = ["dog", "cat", "house", "river", "apple", "stone"]
    texts = [f"The {a} and the {b} and the {c}" for a, b, c in rng.choice(words, (120, 3))]
    labels = np.array([text.endswith(("dog", "cat", "house")) for text in texts]).astype(int)
    shards = capture_shards(smollm2, texts, ["L2.resid_post", "L15.resid_post"], tmp_path)
    profile = layer_profile(shards, labels, repeats=2)
    assert profile.curve().min() == 1.0
    assert profile.data.attrs["layers"] == 30
    assert profile.provenance.model == "smollm2-135m"
