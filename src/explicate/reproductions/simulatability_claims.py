"""The bars of the simulation tests: what was measured, beside chance, controls and the page's limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.runtime.statistics import bootstrap_interval

Found = Sequence[dict[str, Any]]
NOT_HERE = "measured at full scale only"
PROXY = "a SIMULATED reader: a bound on what the text affords, not what people do"


def readers(additive: Found, rule: Found, adult: Found) -> list[Claim]:
    """What simulated readers get right about changed cases."""
    post, pre, dealt = (_mean(additive, name) for name in ("post", "pre", "dealt"))
    found = [
        _at_least("LIME's weights tell what an additive model will do", "LimeReader, accuracy after explanations", post,
                  0.70, pre, "additive logistic model of 8 features with 4 values; " + PROXY),
        _at_least("and more than no explanation does", "LimeReader, after less before", post - pre, 0.15, 0.0, PROXY),
        Claim("explanations of other cases tell nothing", "LimeReader, shuffled explanations less before",
              measured=dealt - pre, chance=0.0, bar="within 0.06", met=bool(abs(dealt - pre) <= 0.06), note=PROXY),
        _at_least("anchors tell what a rule of two conditions will do", "AnchorReader, accuracy after explanations",
                  _mean(rule, "post"), 0.88, _mean(rule, "pre"),
                  f"with anchors of other cases {_mean(rule, 'dealt'):.3f}; {PROXY}"),
    ]  # fmt: skip
    claim, metric = "LIME's weights tell what a perceptron on Adult will do", "LimeReader on Adult, accuracy after"
    if adult:
        found.append(_at_least(claim, metric, _mean(adult, "post"), 0.65, _mean(adult, "pre"),
                               f"with explanations of other cases {_mean(adult, 'dealt'):.3f}; {PROXY}"))  # fmt: skip
    else:
        found.append(Claim(claim, metric, bar=">= 0.65", note=NOT_HERE))
    return found


def kit(found: Found) -> list[Claim]:
    """Models, time and files of the study on Adult."""
    asked = [
        ("the task model", "balanced test accuracy", 0.835, ">= 0.81"),
        ("the prototype model", "balanced test accuracy", 0.819, ">= 0.79"),
        ("models, five methods and all files", "minutes", None, "<= 12"),
        ("batches are balanced, half flip, no file shows what it must not", "invariants broken", None, "<= 0"),
    ]
    if not found:
        return [Claim(claim, metric, claimed, bar=bar, note=NOT_HERE) for claim, metric, claimed, bar in asked]
    one = found[0]
    values = (one["accuracy"]["task"], one["accuracy"]["prototypes"], one["seconds"] / 60, len(one["broken"]))
    return [
        Claim(claim, metric, claimed, float(value), chance=0.5 if claimed else None, bar=bar, met=_holds(value, bar),
              note="; ".join(one["broken"]) if metric == "invariants broken" else "")
        for (claim, metric, claimed, bar), value in zip(asked, values, strict=True)
    ]  # fmt: skip


def analysis(planted: Found, null: Found, change: float) -> list[Claim]:
    """How often intervals cover a planted change, and how often nothing is taken for something."""
    covered, found = (np.concatenate([one[name] for one in planted]) for name in ("covered", "found"))
    blocks, pooled = (np.concatenate([one[name] for one in null]).astype(float) for name in ("blocks", "pooled"))
    whole, single = float(blocks.mean()), float(pooled.mean())
    gap = np.asarray((pooled - blocks).mean(axis=1))
    interval = bootstrap_interval(gap)
    return [
        Claim(f"a planted change of {change:+.0%} lies in its interval", f"share of {len(covered)} studies",
              measured=float(covered.mean()), chance=0.95, bar=">= 0.90", met=_holds(covered.mean(), ">= 0.90"),
              note=f"p < 0.05 in {found.mean():.0%} of them: with 5 users a method power is low"),
        Claim("without a mean effect, p < 0.05 is rare", f"share of 5 methods in {len(blocks)} studies",
              measured=whole, baseline=single, chance=0.05, bar="<= 0.08", met=_holds(whole, "<= 0.08"),
              note="changes of users and of items vary by 10 points each; baseline: a pooled bootstrap"),
        Claim("a bootstrap that ignores users and items finds more that is not there", "false positives, pooled less "
              "blocks", measured=single - whole, interval=(interval.low, interval.high), bar="> 0",
              met=bool(interval.low > 0)),
    ]  # fmt: skip


def _at_least(claim: str, metric: str, value: float, bar: float, before: float, note: str) -> Claim:
    chance = 0.0 if "less before" in metric else 0.5
    return Claim(claim, metric, measured=value, baseline=before, chance=chance, bar=f">= {bar:.2f}",
                 met=bool(value >= bar), note=note)  # fmt: skip


def _holds(value: float, bar: str) -> bool:
    sign, limit = bar.split()
    return bool(value >= float(limit)) if sign == ">=" else bool(value <= float(limit))


def _mean(found: Found, name: str) -> float:
    return float(np.mean([one[name] for one in found]))
