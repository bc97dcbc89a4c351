"""From the tidy table to means with intervals, effects of the shift, advice in words, and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from explicate.errors import InputError
from explicate.evaluation.disparity import increase_between_conditions
from explicate.runtime.statistics import t_interval

if TYPE_CHECKING:
    import pandas as pd

CELL = ["objective", "model", "setup", "explainer", "metric"]
SETUPS = {1: "with the sensitive column", 2: "without the sensitive column"}
SMALL = 0.01  # a gap in accuracy that nobody need act on


class Estimate(NamedTuple):
    """A mean over trials with its 95 % t-interval."""

    mean: float
    low: float
    high: float
    trials: int

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def estimate(values: Any) -> Estimate:
    """Mean of the finite values (trial,) with its t-interval; NaN ends where fewer than two are finite."""
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found)]
    if len(found) < 2:
        nan = float("nan")
        return Estimate(float(found[0]) if len(found) else nan, nan, nan, len(found))
    interval = t_interval(found)
    return Estimate(float(found.mean()), float(interval.low), float(interval.high), len(found))


def means(table: pd.DataFrame) -> pd.DataFrame:
    """Mean with its 95 % t-interval over trials for each strength, model, setup, explainer and metric.

    Undefined trials are left out; `trials` counts those that entered, `undefined_pairs` the pairs of groups that did
    not. `worse_share` says in which share of the trials `worse_group` was the worse one.
    """
    import pandas as pd

    rows = []
    for key, part in table.groupby([*CELL[:1], "strength", *CELL[1:]], sort=False):
        found = estimate(part["value"])
        counted = part.loc[part["worse_group"] != "", "worse_group"].value_counts()
        rows.append(
            {
                **dict(zip([*CELL[:1], "strength", *CELL[1:]], key, strict=True)),
                **found._asdict(),
                "overall": part["overall"].mean(),
                "undefined_pairs": int(part["undefined_pairs"].sum()),
                "worse_group": counted.index[0] if len(counted) else "",
                "worse_share": float(counted.iloc[0] / len(part)) if len(counted) else float("nan"),
                "start": bool(part["start"].iloc[0]),
            }
        )
    return pd.DataFrame(rows)


def shift_effects(table: pd.DataFrame) -> pd.DataFrame:
    """Value at a strength minus value without shift, paired by trial: mean, 95 % t-interval, one-sided Wilcoxon p.

    Raises
    ------
    InputError : the table lacks the strength without effect.
    """
    import pandas as pd

    rows = []
    for key, part in table.groupby(CELL, sort=False):
        start = part[part["start"]].set_index("trial")["value"]
        if start.empty:
            raise InputError(f"{key[0]}: the table has no rows without shift; study that strength too")
        for strength, shifted in part[~part["start"]].groupby("strength", sort=False):
            values = shifted.set_index("trial")["value"]
            paired = values - start.reindex(values.index)
            test = increase_between_conditions(values.to_numpy(), start.reindex(values.index).to_numpy())
            rows.append(
                {
                    **dict(zip(CELL, key, strict=True)),
                    "strength": strength,
                    **estimate(paired)._asdict(),
                    "wilcoxon_p": test.p_value,
                }
            )
    return pd.DataFrame(rows)


def effect(table: pd.DataFrame, strength: float, *, metric: str, model: str, setup: int, explainer: str) -> Estimate:
    """One shift effect of a table of one objective."""
    part = _cell(table, metric, model, setup, explainer)
    values = part[part["strength"] == strength].set_index("trial")["value"]
    start = part[part["start"]].set_index("trial")["value"]
    return estimate(values - start.reindex(values.index))


def setup_effects(table: pd.DataFrame, metric: str = "accuracy_gap") -> pd.DataFrame:
    """Gap with the sensitive column minus gap without it, paired by trial: below 0, giving the column helps."""
    import pandas as pd

    rows = []
    part = table[table["metric"] == metric]
    keys = ["objective", "strength", "model", "explainer"]
    for key, cell in part.groupby(keys, sort=False):
        wide = cell.pivot(index="trial", columns="setup", values="value")
        if {1, 2} <= set(wide.columns):
            rows.append({**dict(zip(keys, key, strict=True)), **estimate(wide[1] - wide[2])._asdict()})
    return pd.DataFrame(rows)


def recommendations(table: pd.DataFrame, metric: str = "accuracy_gap") -> list[str]:
    """What to do, from the measured signs; one sentence for each objective, model and setup, then one on the column.

    A cause is said to act only where the interval of its effect excludes 0.
    """
    effects = shift_effects(table[table["metric"] == metric])
    advice = []
    for key, part in effects.groupby(["objective", "model", "setup", "explainer"], sort=False):
        objective, model, setup, explainer = key
        where = f"{objective}, {model} {SETUPS[setup]}, {explainer}"
        above, below = part[part["low"] > 0], part[part["high"] < 0]
        largest = part.loc[part["mean"].abs().idxmax()]
        size = f"largest {Estimate(*largest[['mean', 'low', 'high', 'trials']])} at strength {largest['strength']:g}"
        if len(above) == 0 and len(below) == 0:
            advice.append(f"{where}: no effect seen at any of {len(part)} strengths ({size}); not reproduced here")
        elif len(above) >= len(below):
            need = (
                "check fidelity by group before these explanations are used"
                if above["mean"].max() > SMALL
                else "the effect is too small to act on"
            )
            advice.append(f"{where}: the gap grows at {len(above)} of {len(part)} strengths ({size}); {need}")
        else:
            advice.append(f"{where}: the gap shrinks at {len(below)} of {len(part)} strengths ({size})")
    advice += _on_the_column(table, metric)
    return advice


def _on_the_column(table: pd.DataFrame, metric: str) -> list[str]:
    found = setup_effects(table, metric)
    advice: list[str] = []
    if found.empty:
        return advice
    for key, part in found.groupby(["objective", "model", "explainer"], sort=False):
        helps, hurts = int((part["high"] < 0).sum()), int((part["low"] > 0).sum())
        what = ", ".join(map(str, key))
        if helps == hurts == 0:
            advice.append(f"{what}: giving the model the sensitive column changes no gap measurably")
        else:
            verdict = "give the model the column" if helps > hurts else "giving the model the column costs fidelity"
            if helps and hurts:
                verdict = "it depends on the strength"
            advice.append(
                f"{what}: with the sensitive column the gap is smaller at {helps} and larger at {hurts} of "
                f"{len(part)} strengths; {verdict}"
            )
    return advice


def plot_gaps(table: pd.DataFrame, ax: Any = None, *, metric: str = "accuracy_gap", explainer: str = "lime") -> Any:
    """The gap against the strength with 95 % intervals, a line for each model and setup; dots: groups dealt at random.

    Parameters
    ----------
    table : of one objective.

    Returns
    -------
    The matplotlib axes.
    """
    import matplotlib.pyplot as plt

    objectives = table["objective"].unique()
    if len(objectives) != 1:
        raise InputError(f"plot_gaps draws one objective; the table has {', '.join(map(str, objectives))}")
    if ax is None:
        _, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    found = means(table[table["explainer"] == explainer])
    for place, ((model, setup), part) in enumerate(found.groupby(["model", "setup"], sort=False)):
        line = part[part["metric"] == metric].sort_values("strength")
        bars = [line["mean"] - line["low"], line["high"] - line["mean"]]
        ax.errorbar(
            line["strength"],
            line["mean"],
            yerr=bars,
            marker="o",
            capsize=3,
            color=f"C{place}",
            label=f"{model} {SETUPS[setup]}",
        )
        chance = part[part["metric"] == f"{metric}_permuted"].sort_values("strength")
        ax.plot(chance["strength"], chance["mean"], ".", color=f"C{place}", alpha=0.5)
    start = found.loc[found["start"], "strength"]
    if len(start):
        ax.axvline(float(start.iloc[0]), color="0.7", linewidth=1, zorder=0)
    ax.set(xlabel=f"strength of {objectives[0]}", ylabel=metric.replace("_", " "), ylim=(0, None))
    ax.legend(frameon=False, fontsize="small")
    return ax


def _cell(table: pd.DataFrame, metric: str, model: str, setup: int, explainer: str) -> pd.DataFrame:
    part = table[
        (table["metric"] == metric)
        & (table["model"] == model)
        & (table["setup"] == setup)
        & (table["explainer"] == explainer)
    ]
    if part.empty:
        raise InputError(f"the table has no rows for {metric}, {model}, setup {setup}, {explainer}")
    return part
