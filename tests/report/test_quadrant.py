"""The picture and the page of explainers on two axes show what was measured, and what was not."""

import re
from dataclasses import replace

import numpy as np
import pytest

from explicate.errors import InputError
from explicate.evaluation.self_explanation import Axis, Measured, quadrant
from explicate.report.quadrant import quadrant_report, scatter


def axis(name, scores, items=40):
    """An axis of two tests, half of whose items score a tenth less and half a tenth more."""
    spread = np.tile([-0.1, 0.1], items // 2)
    tests = tuple(Measured(f"{name} {k}", (score + spread)[:, None], ("score",)) for k, score in enumerate(scores))
    return Axis(name, tests, tuple(map(str, range(items))), np.ones(items, dtype=bool), "narrative")


def point(faithful, plausible):
    return quadrant(axis("faithfulness", faithful), axis("plausibility", plausible))


POINTS = {"before": point((0.2, 0.3), (0.8, 0.8)), "after": point((0.8, 0.7), (0.7, 0.8)), "unread": None}
UNREAD = point((0.9, 0.9), (0.2, 0.2))
POINTS["unread"] = replace(UNREAD, faithfulness=replace(UNREAD.faithfulness, read=np.zeros(40, dtype=bool)))


def test_points_stand_where_they_were_measured_and_the_unmeasurable_nowhere():
    ax = scatter(POINTS, [("before", "after")])
    dots = [line.get_xydata()[0].tolist() for line in ax.lines if line.get_marker() == "o"]
    assert dots == [pytest.approx([0.25, 0.8]), pytest.approx([0.75, 0.75])]
    bars = [line.get_xydata() for line in ax.lines if line.get_marker() != "o"][2:]  # after the two thresholds
    low, high = POINTS["before"].faithfulness.interval().low, POINTS["before"].faithfulness.interval().high
    assert bars[0][:, 0].tolist() == [low, high]
    arrows = [text for text in ax.texts if getattr(text, "arrow_patch", None) is not None]
    assert [(tuple(arrow.xyann), tuple(arrow.xy)) for arrow in arrows] == [
        (pytest.approx((0.25, 0.8)), pytest.approx((0.75, 0.75)))
    ]


def test_the_page_says_the_quadrants_every_test_the_movement_and_the_verdicts():
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", quadrant_report(POINTS, [("before", "after")]).to_html()))
    assert "before: plausible, not faithful." in page
    assert "unread: not measurable." in page
    assert "faithfulness moved by 0.50" in page
    for name in ("faithfulness 0", "faithfulness 1", "plausibility 0", "plausibility 1"):
        assert name in page
    assert "fail: faithfulness: faithfulness 0 (0.20)" in page


def test_points_that_cannot_share_a_picture_are_refused():
    with pytest.raises(InputError, match="thresholds"):
        scatter({})
    with pytest.raises(InputError, match="thresholds"):
        scatter({"one": POINTS["before"], "two": replace(POINTS["after"], thresholds=(0.6, 0.5))})
    with pytest.raises(InputError, match="no explainer 'later'"):
        scatter(POINTS, [("before", "later")])
