"""Pictures of concepts show what the explanation holds: masks where attention is, the top cases, the largest parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from explicate.core.kinds import Concepts
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.report.concept_pictures import (
    concept_contributions,
    concept_gallery,
    concept_masks,
    concepts_listed,
    masked_picture,
    top_cases,
)


def explained() -> Concepts:
    """Three pictures 8 x 8 of 2 x 2 patches; concept "beak" is seen in the patch of the picture's number."""
    attention = np.full((3, 4, 2), 0.1)
    attention[np.arange(3), np.arange(3), 0] = [0.9, 0.7, 0.8]
    attention[..., 1] = 1 - attention[..., 0]
    contribution = np.zeros((3, 3, 2))
    contribution[:, 0] = [0.5, -0.5]
    contribution[:, 1] = [1, 3]
    data = xr.Dataset(
        {
            "activation": (("sample", "concept"), np.column_stack([np.ones(3), attention.mean(axis=1)])),
            "contribution": (("sample", "concept", "label"), contribution),
            "intercept": ("label", [0.0, 0.0]),
            "spatial_attention": (("sample", "token", "spatial_concept"), attention),
            "inputs": (("sample", "channel", "row", "column"), np.full((3, 1, 8, 8), 0.6)),
        },
        {
            "concept": ["sky", "beak", "wing"],
            "stream": ("concept", ["global", "spatial", "spatial"]),
            "spatial_concept": ["beak", "wing"],
            "label": ["crow", "wren"],
        },
        {"grid": [2, 2], "samples": "cases"},
    )
    return Concepts(data, Provenance(method="concept-transformer", parameters={}, model="m"))


def test_masks_lie_where_the_attention_is() -> None:
    masks = concept_masks(explained())
    assert masks.shape == (3, 2, 8, 8)
    for sample, (top, left) in enumerate([(0, 0), (0, 4), (4, 0)]):
        beak = masks[sample, 0]
        assert beak[0 if top == 0 else 7, 0 if left == 0 else 7]
        assert beak[top : top + 4, left : left + 4].sum() > 8
        outside = beak.copy()
        outside[top : top + 4, left : left + 4] = False
        assert not outside.any()
        assert not (beak & masks[sample, 1]).any()


def test_attention_alike_everywhere_has_no_mask() -> None:
    found = explained()
    found.data["spatial_attention"][:] = 0.5
    assert not concept_masks(found).any()


def test_the_gallery_begins_with_the_most_attending_case() -> None:
    assert top_cases(explained(), "beak").tolist() == [0, 2, 1]
    ax = concept_gallery(explained(), "beak", most=2)
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.shape == (8, 16, 3)
    assert drawn[0, 0, 0] == pytest.approx(0.6)
    assert drawn[7, 7, 0] == pytest.approx(0.18)
    assert drawn[7, 8, 0] == pytest.approx(0.6)
    assert np.asarray(concept_gallery(explained(), "sky").images[0].get_array()).min() == pytest.approx(0.6)


def test_contributions_are_ranked_for_the_predicted_class() -> None:
    ax = concept_contributions(explained(), 1, most=2)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["beak (attention 0.25)", "sky (attention 1.00)"]
    assert [bar.get_width() for bar in ax.patches] == [3, -0.5]
    assert ax.get_xlabel() == "contribution to wren"


def test_the_masked_picture_names_prediction_and_concepts() -> None:
    ax = masked_picture(explained(), 0)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["predicted: wren", "beak", "wing"]
    page = concepts_listed(explained(), most=1)
    assert page.count("<img") == 3
    assert explained()._repr_html_().count("<img") == 7


def test_what_is_not_there_is_not_drawn() -> None:
    whole: Any = explained()
    bare = Concepts(whole.data[["activation"]], whole.provenance)
    with pytest.raises(InputError, match="activations alone"):
        concept_contributions(bare)
    with pytest.raises(InputError, match="no attention over places"):
        concept_masks(bare)
    with pytest.raises(InputError, match="no concept 'tail'; there are sky, beak, wing"):
        concept_gallery(whole, "tail")
    with pytest.raises(InputError, match="holds no pictures"):
        concept_gallery(bare, "beak")
    assert "<img" not in concepts_listed(bare)
