"""`explicate sweep` and `explicate steer`, as a user types them."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import explicate as ex
from explicate.cli import intervening
from explicate.cli.app import app
from explicate.errors import InputError

WORDS = (*"abcdefgh", "yes", "no")
assert intervening.sweep  # importing it has added its commands


@pytest.fixture(scope="module")
def folder(saved_decoder):
    return saved_decoder(*WORDS)


def typed(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False).stdout


def test_a_sweep_is_that_of_the_package(folder, tmp_path):
    words = ["sweep", folder, "a b c d", "a f c d", "--target", "yes|no", "--sites", "head_out", "--positions", "-1"]
    found = json.loads(typed(*words, "--layers", "1:3", "--out", tmp_path, "--json"))
    model = ex.load_model(folder)
    expected = ex.sweep(
        model, "a b c d", "a f c d", sites="head_out", positions=-1, layers=[1, 2], target=ex.Contrast("yes", "no")
    )
    kept = ex.Explanation.load(found["effects"])
    np.testing.assert_allclose(kept.values, expected.values, atol=1e-6)
    assert found["strongest"][0][0] == str(expected.strongest(1)[0])
    assert found["strongest"][0][1] == pytest.approx(
        expected.values.mean(axis=0).ravel()[np.abs(expected.values).argmax()]
    )
    assert (tmp_path / f"{folder.name}-sweep.png").stat().st_size > 1000
    text = typed(*words, "--out", tmp_path)
    assert "untouched" in text
    assert str(expected.strongest(1)[0]) in text


def test_paths_into_a_head(folder, tmp_path):
    words = ["sweep", folder, "a b c d", "a f c d", "--target", "yes", "--into", "L2.q.H1", "--out", tmp_path, "--json"]
    found = json.loads(typed(*words))
    expected = ex.patch_paths(ex.load_model(folder), "a b c d", "a f c d", receivers="L2.q.H1", target="yes")
    np.testing.assert_allclose(ex.Explanation.load(found["effects"]).values, expected.values, atol=1e-6)


def test_steering_writes_the_direction_and_what_it_does(folder, tmp_path):
    more, less = tmp_path / "more.txt", tmp_path / "less.txt"
    more.write_text("a a b\na c a\n")
    less.write_text("h h b\nh c h\n")
    words = ["steer", folder, more, less, "b c", "--layer", "1", "--answers", "yes|no", "--tokens", "3"]
    found = json.loads(typed(*words, "--strengths", "-2,0,2", "--out", tmp_path / "out", "--json"))
    assert set(found["written"]) == {"-2", "+0", "+2"}
    assert [row["strength"] for row in found["table"]] == [-2.0, 0.0, 2.0]
    model = ex.load_model(folder)
    direction = ex.read_directions(
        model, ["a a b", "a c a"], ["h h b", "h c h"], how="difference-of-means", layers=1
    ).relative(0.2)
    np.testing.assert_allclose(ex.Explanation.load(found["direction"]).values, direction.values, atol=1e-6)
    with model.intervene(ex.steer(direction, 2.0)):
        assert found["written"]["+2"] == model.generate(["b c"], max_new_tokens=3)
    assert ex.Explanation.load(found["response"]).data["divergence"].values[1].max() == 0
    assert "direction:" in typed(*words, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep", "MODEL", "a b", "--into", "logits"], "needs a second text"),
        (["sweep", "MODEL", "a b", "a c", "--into", "logits", "--positions", "0,1"], "one position"),
        (["sweep", "MODEL", "a b", "a c", "--layers", "7"], "cannot take layers '7' of 3"),
        (["sweep", "MODEL", "a b", "a c", "--positions", "last"], "no list of numbers"),
        (["sweep", "adult-credit", "a b", "a c"], "changes language models"),
        (["steer", "MODEL", "nowhere.txt", "nowhere.txt", "a"], "there is no file nowhere.txt"),
    ],
)
def test_what_cannot_be_is_said(folder, tmp_path, words, message):
    given = [str(folder) if word == "MODEL" else word for word in words]
    with pytest.raises(InputError, match=message):
        typed(*given, "--out", tmp_path)
