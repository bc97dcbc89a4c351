"""Successor scores find the planted head, tell it from its rivals, and find none in SmolLM2."""

import numpy as np
import pytest

import explicate as ex
from explicate.core import explanation
from explicate.data.language.succession import Item, SuccessionDataset, SuccessionTask
from explicate.errors import CapabilityError
from explicate.mechanisms.succession import recurrence, successor_scores
from explicate.mechanisms.succession.scores import winners
from explicate.mechanisms.weights import effective_ov
from explicate.models.tiny.decoder import Decoder

STATES = ("mlp0", "embed+mlp0", "embed+attn0+mlp0", "in_context")


def without_carry(report):
    """Words whose successor has the same tens."""
    own = report["index"].values
    following = np.asarray(report.data.attrs["indices"])[report["successor"].values]
    return report.isel(sample=np.flatnonzero((following == own + 1) & (own % 10 != 9)))


@pytest.mark.parametrize("state", STATES)
def test_the_planted_head_and_no_other(planted, words, state):
    report = successor_scores(planted.model, words, state=state)
    assert (report.best.layer, report.best.head) == planted.successor
    easy = without_carry(report)
    assert easy.interval(report.best).value == 1.0
    others = easy.score.values.copy()
    others[planted.successor] = 0
    assert others.max() <= report.chance + 0.05
    assert report.successor_heads() == [report.best]
    assert report.runner_up()[1] < report.chance + 0.05


def test_rivals_are_told_apart(planted, words):
    report = successor_scores(planted.model, words)
    copying, before = (ex.Site("head_out", *place) for place in (planted.copying, planted.predecessor))
    assert report.rivals(copying) == {"copying": 1.0, "predecessor": 0.0}
    assert report.rivals(before)["predecessor"] > 0.85
    assert report.of(copying).max() == 0.0
    steps = report.confusion(report.best)
    assert steps.loc["numbers", "1"] == 179  # 19 becomes 10
    assert steps.loc["numbers", "-9"] == 19
    tasks = report.per_task(report.best).set_index("task")
    assert tasks.loc["days", "chance"] == pytest.approx(1 / 7)
    assert tasks["words"].sum() == len(report)
    assert tasks.loc["ordinal words", "score"] == 1.0


def test_chance_is_one_over_the_size_of_each_words_task(planted, words):
    report = successor_scores(planted.model, words)
    sizes = np.array([len(task.items) for task in words.tasks])
    expected = (1 / sizes)[words.task_of[words.next_to() >= 0]].mean()
    assert report.chance == pytest.approx(expected)


def test_scores_of_a_random_model_by_hand(causal):
    """Any architecture: the answer is the largest logit among the task's own tokens."""
    tasks = tuple(
        SuccessionTask(name, tuple(Item(i + 1, str(token), token) for i, token in enumerate(tokens)), cyclic, "", 6)
        for name, tokens, cyclic in (("one", range(20, 26), True), ("two", range(40, 46), False))
    )
    data = SuccessionDataset(tasks, {})
    report = successor_scores(causal, data)
    logits = effective_ov(causal, data.ids)
    for layer, head in ((0, 1), (2, 3)):
        for row, item in enumerate(report["item"].values):
            own = range(6) if item < 6 else range(6, 12)
            best = max(own, key=lambda other: logits[layer, head, item, other])
            wanted = report["successor"].values[row]
            assert report["answer"].values[row, layer, head] == best
            assert report["effect"].values[row, layer, head] == (best == wanted)
    assert len(report) == 11


def test_equal_logits_are_no_answer():
    items = tuple(Item(i, str(i), token) for i, token in enumerate((5, 6, 5, 8)))
    with pytest.warns(UserWarning, match="two places"):
        data = SuccessionDataset((SuccessionTask("t", items),), {})
    logits = np.array([[0.0, 1, 0, 1], [2, 1, 2, 0], [0, 0, 0, 3]])
    assert winners(data, logits, 0).tolist() == [-1, 0, 3]  # the same token twice is no tie


def test_an_explanation_like_any_other(planted, words, tmp_path, monkeypatch):
    report = successor_scores(planted.model, words)
    monkeypatch.delitem(explanation._KINDS, "successor-report")  # as where its module was not imported yet
    again = ex.load(report.save(tmp_path / "scores.nc"))
    assert type(again) is type(report)
    assert again.best == report.best
    assert (again.confusion(again.best) == report.confusion(report.best)).all(None)
    assert report.plot().figure.axes[1].get_ylabel() == "share of words answered with their successor"
    assert "heat map" in report._repr_html_()


def test_recurrence_is_a_row_for_each_model_and_state(planted, words):
    table = recurrence({"planted": planted.model}, {"planted": words}, states=("mlp0", "in_context"))
    assert table["head"].tolist() == ["L1.head_out.H0"] * 2
    assert (table["low"] <= table["score"]).all()
    assert (table["high"] >= table["score"]).all()
    assert (table["score"] > 0.85).all()
    assert (table["runner_up_score"] < 0.1).all()


def test_without_an_mlp_another_state_is_suggested():
    decoder = Decoder(("a", "b", "c"), layers=2, width=32, heads=2, mlp_width=(0, 16))
    model = decoder.handle(decoder.build())
    data = SuccessionDataset((SuccessionTask("t", tuple(Item(i, w, i) for i, w in enumerate("abc"))),), {})
    with pytest.raises(CapabilityError, match="in_context"):
        successor_scores(model, data)
    assert len(successor_scores(model, data, state="in_context")) == 2


def test_smollm2_has_no_successor_head(smollm2, smollm2_words):
    report = successor_scores(smollm2, smollm2_words)
    assert report.successor_heads() == []
    assert report.chance + 0.05 < report.score.max() < 0.3
    assert report.interval(report.best).high < 0.5
