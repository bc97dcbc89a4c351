"""Concept transformers: contributions are the prediction, concepts are learned from targets, interventions count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from explicate.errors import InputError, UnknownNameError
from explicate.glassbox import check_glass_box, replay
from explicate.glassbox.concept_transformer import MEMORIES, ConceptCentricTransformer, ConceptTransformer
from explicate.models.tiny.token_classifier import CHUNK, TokenClassifier

SMALL: Any = {"patch": 2, "width": 8, "layers": 1, "epochs": 1, "batch": 16}


def world(cases: int = 160, seed: int = 0) -> tuple[Any, Any, pd.DataFrame, Any]:
    """Pictures 4 x 4 with one bright patch of four; the label says whether it is in the upper half, the concept where.

    Spatial targets are known for the bright patch alone: "bright".
    """
    rng = np.random.default_rng(seed)
    place = rng.integers(4, size=cases)
    pictures = rng.normal(0, 0.1, (cases, 1, 2, 2, 2, 2))
    pictures[np.arange(cases), 0, place // 2, :, place % 2] += 1
    targets = pd.DataFrame(np.eye(4)[place], columns=["upper left", "upper right", "lower left", "lower right"])
    spatial = np.full((cases, 4, 2), np.nan)
    spatial[np.arange(cases), place] = [1, 0]
    spatial[np.arange(cases), (place + 1) % 4] = [0, 1]
    return pictures.reshape(cases, 1, 4, 4), np.where(place < 2, "above", "below"), targets, spatial


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("slot_input", ["tokens", "cls"])
def test_every_memory_keeps_the_contract(memory: Any, slot_input: Any) -> None:
    x, y, targets, spatial = world(40)
    model = ConceptCentricTransformer(memory, slot_input, unsupervised_concepts=3, **SMALL)
    model.fit(x, y, targets, spatial, {"spatial": ["bright", "dark"]})
    check_glass_box(model, x)
    whole = model.explain()
    assert whole["activation"].dims == ("sample", "concept")
    assert [str(name) for name in whole["concept"].values][3:6] == ["lower right", "bright", "dark"]
    for rows in model.attend(x).values():
        np.testing.assert_allclose(rows.sum(axis=2), 1, atol=1e-6)
    logits = model.intercept_ + model.contributions(x).sum(axis=1)
    np.testing.assert_allclose(np.log(model.predict_proba(x))[:, 0] - np.log(model.predict_proba(x))[:, 1],
                               logits[:, 0] - logits[:, 1], atol=1e-5)  # fmt: skip


def test_a_case_is_read_alike_in_any_company_and_twice() -> None:
    x, y, targets, _ = world(CHUNK + 5)
    model = ConceptCentricTransformer(**SMALL).fit(x, y, targets)
    together = model.contributions(x)
    np.testing.assert_array_equal(model.contributions(x), together)
    np.testing.assert_array_equal(model.contributions(x[-1:]), together[-1:])
    assert model.predict(x[:1]).shape == (1,)


def test_ct_is_the_static_memory_and_a_seed_fixes_all() -> None:
    x, y, targets, spatial = world(40)
    own, other = (
        kind.fit(x, y, targets, spatial).contributions(x)
        for kind in (ConceptTransformer(**SMALL), ConceptCentricTransformer("static", **SMALL))
    )
    np.testing.assert_array_equal(own, other)
    again = ConceptTransformer(**{**SMALL, "seed": 1}).fit(x, y, targets, spatial).contributions(x)
    assert np.abs(again - own).max() > 1e-3


@pytest.fixture(scope="module")
def trained() -> Any:
    x, y, targets, spatial = world()
    options = {**SMALL, "width": 16, "epochs": 40, "learning_rate": 1e-2, "validation": 0.0}
    return ConceptCentricTransformer("bo_qsa", **options).fit(x, y, targets, spatial, {"spatial": ["bright", "dark"]})


def test_planted_concepts_are_attended_and_decide(trained: Any) -> None:
    x, y, targets, spatial = world(80, seed=1)
    assert trained.score(x, y) >= 0.95
    attended = trained.attend(x)
    truth = targets.to_numpy().argmax(axis=1)
    assert (attended["global"][:, 0].argmax(axis=1) == truth).mean() >= 0.95
    known = ~np.isnan(spatial[..., 0])
    found, wanted = attended["spatial"].argmax(axis=2)[known], np.nan_to_num(spatial).argmax(axis=2)[known]
    assert (found == wanted).mean() >= 0.95


def test_attention_that_a_person_gives_takes_the_place_of_the_models(trained: Any) -> None:
    x, y, _, _ = world(CHUNK + 6, seed=2)
    given = np.zeros((len(x), 1, 4))
    given[:, 0, 1] = 2.0
    changed = trained.intervene(x, attention={"global": given})
    names = [str(name) for name in changed["concept"].values]
    assert changed["activation"].values[:, names.index("upper right")] == pytest.approx(1)
    assert not changed["contribution"].values[:, names.index("lower left")].any()
    same = trained.intervene(x, attention=trained.attend(x))
    np.testing.assert_allclose(same["activation"].values, trained.explain(x)["activation"].values, atol=1e-6)
    masked = trained.intervene(x, ["upper left", "bright"])
    assert not masked["activation"].sel(concept=["upper left", "bright"]).values.any()
    np.testing.assert_allclose(masked["activation"].values[:, :4].sum(axis=1), 1, atol=1e-6)
    assert replay(masked).shape == y.shape


def test_explanations_hold_what_pictures_need(trained: Any) -> None:
    x, *_ = world(3)
    found = trained.explain(x)
    assert found["spatial_attention"].dims == ("sample", "token", "spatial_concept")
    assert found.data.attrs["grid"] == [2, 2]
    assert found["inputs"].shape == x.shape
    with pytest.raises(InputError, match="of the whole model, not of cases"):
        replay(trained.explain())
    with pytest.raises(InputError, match="give explain"):
        replay(trained.explain(), x)


def test_unknown_targets_and_an_explanation_weight_of_zero_train_alike() -> None:
    x, y, targets, spatial = world(40)
    unknown = targets * np.nan
    kept = ConceptTransformer(**SMALL).fit(x, y, unknown, spatial * np.nan).contributions(x)
    free = ConceptTransformer(explanation=0.0, **SMALL).fit(x, y, targets, spatial).contributions(x)
    np.testing.assert_allclose(kept, free, atol=1e-6)
    empty = ConceptTransformer(**SMALL).fit(x, y, targets * 0, spatial * 0).contributions(x)
    np.testing.assert_allclose(empty, free, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "fitted", "message"),
    [
        ({"global_concepts": 5}, {}, "global targets have 4 concepts, the model 5"),
        ({}, {"global_targets": "negative"}, "case 7 has a negative global target"),
        ({}, {"spatial_targets": np.ones((40, 9, 2))}, "spatial targets of 9 tokens for cases of 4"),
        ({}, {"global_targets": np.ones((39, 4))}, r"global targets of shape \(39, 4\) for 40 cases"),
        ({}, {"global_targets": None}, "at least one stream needs concepts"),
        ({"heads": 3}, {}, "width 8 must be divisible by heads 3"),
        ({"memory": "lstm"}, {}, "memory is 'lstm'"),
        ({"slot_input": "all"}, {}, "slot_input 'all'"),
        ({"sparsity": -1}, {}, "sparsity is -1"),
        ({"patch": 3}, {}, "4 x 4 pixels cannot be cut into patches of side 3"),
        ({"validation": 1.0}, {}, "validation and dropout are shares"),
        ({"epochs": 0}, {}, "epochs is 0"),
        ({}, {"names": {"global": ["a"]}}, "1 names for 4 global concepts"),
        ({}, {"names": {"global": list("abca")}}, "two concepts are called 'a'"),
        ({}, {"names": {"local": ["a"]}}, "names for the stream 'local'"),
        ({}, {"X": np.full((40, 1, 4, 4), np.nan)}, "case 0 holds NaN"),
        ({}, {"X": np.ones((40, 4))}, "give .case, channel, row, column. pictures"),
        ({}, {"y": np.ones(40)}, "two classes are needed"),
        ({}, {"y": np.ones(39)}, "give one label per case"),
    ],
)
def test_bad_input_is_refused(options: Any, fitted: Any, message: str) -> None:
    x, y, targets, _ = world(40)
    if fitted.get("global_targets") is not None and isinstance(fitted["global_targets"], str):
        fitted = {"global_targets": targets.assign(**{"upper left": np.where(np.arange(40) == 7, -1.0, 0.0)})}
    with pytest.raises(InputError, match=message):
        ConceptCentricTransformer(**{**SMALL, **options}).fit(**{"X": x, "y": y, "global_targets": targets, **fitted})


def test_bad_interventions_are_refused(trained: Any) -> None:
    x, *_ = world(6)
    with pytest.raises(UnknownNameError, match="no concept named 'brigt'; did you mean 'bright'"):
        trained.intervene(x, ["brigt"])
    for rows in (np.zeros((6, 1, 4)), -np.ones((6, 1, 4)), np.ones((6, 1, 3))):
        with pytest.raises(InputError, match="attention rows"):
            trained.intervene(x, attention={"global": rows})
    with pytest.raises(InputError, match="attention rows of 5 cases for 6"):
        trained.intervene(x, attention={"global": np.ones((5, 1, 4))})
    with pytest.raises(InputError, match="no stream 'unsupervised'"):
        trained.intervene(x, attention={"unsupervised": np.ones((6, 1, 4))})
    with pytest.raises(InputError, match="not all zero"):
        trained.intervene(x, ["bright", "dark"])
    with pytest.raises(InputError, match=r"cases of shape \(1, 8, 8\); the model was fitted on \(1, 4, 4\)"):
        trained.predict(np.ones((2, 1, 8, 8)))


def test_concepts_of_words_on_the_states_of_smollm2(smollm2: Any) -> None:
    """Countries and animals, told apart on one layer's states; the concept of the whole is which of the two it is."""
    words = ["France", "Italy", "Spain", "Japan", "Egypt", "dog", "cat", "horse", "tiger", "rabbit"]
    site = "L4.resid_post"
    states = np.concatenate([np.asarray(smollm2.capture(f"I like the {word}", [site])[site])[:, -4:] for word in words])
    kind = np.arange(10) // 5
    model = ConceptCentricTransformer(layers=0, epochs=30, learning_rate=1e-2, width=16, batch=5, validation=0.0)
    model.fit(states, np.array(["country", "animal"])[kind], np.eye(2)[kind], names={"global": ["place", "being"]})
    check_glass_box(model, states)
    assert model.score(states, np.array(["country", "animal"])[kind]) == 1.0
    assert (model.attend(states)["global"][:, 0].argmax(axis=1) == kind).mean() >= 0.9


def test_the_plain_backbone_learns_and_another_backbone_may_take_its_place() -> None:
    x, y, targets, _ = world()
    plain = TokenClassifier(**{**SMALL, "width": 16, "epochs": 30, "learning_rate": 1e-2}).fit(x, y)
    test, labels, *_ = world(80, seed=1)
    assert plain.score(test, labels) >= 0.95
    assert len(plain.history_) == 30
    assert min(plain.history_) < plain.history_[0] / 2

    def tokens_by_convolution(shape: tuple[int, ...]) -> Any:
        import torch
        from torch import nn

        class Convolution(nn.Module):
            width, grid = 16, (2, 2)

            def __init__(self) -> None:
                super().__init__()
                self.cut = nn.Conv2d(shape[0], 16, 2, stride=2)
                self.place = nn.Parameter(torch.randn(1, 4, 16))

            def forward(self, cases: Any) -> Any:
                tokens = (self.cut(cases).flatten(2).mT + self.place).relu()
                return tokens, tokens.mean(dim=1, keepdim=True)

        return Convolution()

    options = {**SMALL, "epochs": 30, "learning_rate": 1e-2, "heads": 2}
    other = ConceptTransformer(backbone=tokens_by_convolution, spatial_concepts=4, **options).fit(x, y, targets)
    check_glass_box(other, test)
    assert other.grid_ == (2, 2)
    assert other.score(test, labels) >= 0.9
