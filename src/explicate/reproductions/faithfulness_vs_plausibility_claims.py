"""What the reproduction of faithfulness vs plausibility claims, and whether its bars hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim

Found = Sequence[dict[str, Any]]
HIGH, LOW, APART = 0.75, 0.35, 0.3
FRESH_NOTE = (
    "scripted explainers on templated reviews; their wording was chosen on reviews of other seeds, so that it says "
    "nothing of other texts; the number of reviews at smoke scale was chosen on these"
)
CUT_NOTE = (
    "costly tests ask about the first items alone (n), with two shares of words, two random sets and five words put in"
)
SIDES = {"faithfulness": ("faithful", "unfaithful"), "plausibility": ("plausible", "implausible")}
NOT_HERE = "measured at full scale only"


def claims(squares: Found, random: Found, sums: Found, asked: Found) -> list[Claim]:
    """All rows."""
    return [*square(squares), *alone(squares), *invariances(squares, random), *reasoning(sums), *language_model(asked)]


def square(found: Found) -> list[Claim]:
    """Quadrants and the values of both axes."""
    rows = []
    for form in dict.fromkeys(one["form"] for one in found):
        cells = [cell for one in found if one["form"] == form for cell in one["cells"]]
        right = float(np.mean([cell["quadrant"] == cell["truth"] for cell in cells]))
        texts = float(np.mean([_by_text_alone(cell) == cell["truth"] for cell in cells]))
        rows.append(
            Claim(f"all four cells lie in their quadrant, {form}", f"share of {len(cells)} cells", None, right,
                  baseline=texts, chance=0.25, bar="= 1", met=right == 1.0,
                  note=f"baseline: plausibility taken for faithfulness too; {FRESH_NOTE}")
        )  # fmt: skip
    for axis, (good, bad) in SIDES.items():
        high = [cell[axis]["value"] for one in found for cell in one["cells"] if _is_good(cell, axis)]
        low = [cell[axis]["value"] for one in found for cell in one["cells"] if not _is_good(cell, axis)]
        least, most = _extreme(high, min), _extreme(low, max)
        shown = f"{len(high)} cells of 3 forms"
        rows.append(Claim(f"{axis} in {good} cells", f"lowest of {shown}", None, least, chance=0.5,
                          bar=f">= {HIGH}", met=least is not None and least >= HIGH))  # fmt: skip
        rows.append(Claim(f"{axis} in {bad} cells", f"highest of {shown}", None, most, chance=0.5,
                          bar=f"<= {LOW}", met=most is not None and most <= LOW))  # fmt: skip
    return rows


def _is_good(cell: dict[str, Any], axis: str) -> bool:
    return bool(cell["rule"] == cell["says"] if axis == "faithfulness" else cell["says"] == "sentiment")


def _by_text_alone(cell: dict[str, Any]) -> str:
    """The quadrant that a reader of the text alone would give: what convinces counts as faithful."""
    value = cell["plausibility"]["value"]
    return "faithful and plausible" if value is not None and value >= 0.5 else "neither"


def _extreme(values: Sequence[float | None], of: Any) -> float | None:
    """The worst value; None where one is not measurable."""
    known = [value for value in values if value is not None]
    return float(of(known)) if len(known) == len(values) else None


def alone(found: Found) -> list[Claim]:
    """Each test of faithfulness by itself."""
    rows = []
    for form in dict.fromkeys(one["form"] for one in found):
        own = [one for one in found if one["form"] == form]
        names = [test["name"] for test in own[0]["cells"][0]["faithfulness"]["tests"]]
        for name in names:
            gaps = [_gap(one["cells"], name, says) for one in own for says in ("sentiment", "cue")]
            least = _extreme(gaps, min)
            rows.append(
                Claim(f"{name} alone orders faithful above unfaithful, {form}",
                      f"least difference of {len(gaps)} pairs with the same explainer", None, least, baseline=0.0,
                      chance=0.0, bar=f">= {APART}", met=least is not None and least >= APART,
                      note="baseline: any score of the text alone, which is the same in both cells")
            )  # fmt: skip
    return rows


def _gap(cells: Found, name: str, says: str) -> float | None:
    score = {cell["rule"] == says: _score(cell, name) for cell in cells if cell["says"] == says}
    one, two = score[True], score[False]
    return None if one is None or two is None else one - two


def _score(cell: dict[str, Any], name: str) -> float | None:
    tests: Iterable[dict[str, Any]] = cell["faithfulness"]["tests"]
    return next(test["score"] for test in tests if test["name"] == name)


def invariances(squares: Found, random: Found) -> list[Claim]:
    """What must leave an axis as it is, and what must score nothing."""
    plausible = max(one["plausibility_moved"] for one in squares)
    faithful = max(one["faithfulness_moved"] for one in squares)
    scores = [one["score"] for one in random]
    worst = max((abs(one["signed"]) for one in random), default=float("nan"))
    per_item, right, right_per_item = (
        float(np.mean([one[name] for one in random])) for name in ("per_item", "right", "right_per_item")
    )
    return [
        Claim("exchanging the predictor leaves every plausibility score as it is", "largest change of any item", None,
              plausible, bar="<= 1e-9", met=plausible <= 1e-9,
              note="plausibility asks no model, and the scripted explainers do not look at the predictor"),
        Claim("exchanging marks and gold explanations leaves every faithfulness score as it is",
              "largest change of any item", None, faithful, bar="= 0", met=faithful == 0.0),
        Claim("random words score nothing by erasure", f"largest distance from 0 of {len(random)} seeds, signed", None,
              worst, baseline=right, chance=0.0, bar="<= 0.1", met=worst <= 0.1 and max(scores) <= 0.1,
              note=f"ratio of sums, clipped: {', '.join(f'{score:.3f}' for score in scores)}; baseline: the words that "
                   "decide"),
        Claim("random words by the page's own formula", "mean of each item's ratio, clipped", None, per_item,
              baseline=right_per_item, chance=0.0,
              note="the page clips item by item; this lifts random words above 0, so the axis takes a ratio of sums"),
    ]  # fmt: skip


def reasoning(found: Found) -> list[Claim]:
    """Area over the curve of early answering, for both programs."""
    rows = []
    for name, bar, of in (("decides first", "<= 0.05", max), ("needs its text", ">= 0.4", min)):
        areas = [one[name]["early-answering"]["score"] for one in found]
        worst = float(of(areas))
        met = worst <= 0.05 if name == "decides first" else worst >= 0.4
        spoilt = [one[name]["corruption"]["score"] for one in found]
        note = f"corruption of the text scores {', '.join(f'{score:.2f}' for score in spoilt)}"
        rows.append(Claim(f"area over the curve, a program that {name}", f"worst of {len(areas)} seeds", None, worst,
                          bar=bar, met=met, note=note))  # fmt: skip
    return rows


def language_model(found: Found) -> list[Claim]:
    """SmolLM2 in every form, without a bar."""
    missing = next((one["missing"] for one in found if "missing" in one), "" if found else NOT_HERE)
    if missing:
        return [Claim("SmolLM2-135M-Instruct explains itself, all forms", "faithfulness", note=missing)]
    rows = []
    for one in found:
        for axis in SIDES:
            own = one[axis]
            parts = "; ".join(
                f"{test['name']} {'none' if test['score'] is None else format(test['score'], '.2f')} "
                f"(n = {test['n']}{'' if test['used'] else ', not counted'})"
                for test in own["tests"]
            )
            note = f"{own['items']} items, {own['parse_rate']:.0%} could be read, accuracy {one['accuracy']:.2f} "
            note += f"(chance 0.33); {parts}; {CUT_NOTE}" + (f"; {own['reason']}" if own["reason"] else "")
            interval = None if own["interval"] is None else (own["interval"][0], own["interval"][1])
            form = f"{one['form']} whose first words are given" if one.get("begin") else one["form"]
            rows.append(Claim(f"SmolLM2-135M-Instruct, {form}: {one['quadrant']}", axis, None, own["value"],
                              interval, note=note))  # fmt: skip
    return rows
