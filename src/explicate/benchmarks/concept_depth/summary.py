"""Many profiles side by side: a table, and whether harder tasks lie deeper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from explicate.benchmarks.concept_depth.study import depth_points
from explicate.benchmarks.concept_depth.tasks import GROUPS
from explicate.core.kinds import Profile
from explicate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

CONDITION = ["task", "model", "split"]


def depth_table(profiles: Sequence[Profile]) -> pd.DataFrame:
    """One row a profile: task, model and disturbance, depth points by both rules, scores and controls.

    Ordered by the depth at which tasks converge. `converge` is by the rule "plateau", `converge_paper` by the paper's.
    """
    import pandas as pd

    rows = []
    for profile in profiles:
        facts, points = profile.data.attrs, depth_points(profile)
        rows.append(
            {
                "task": facts["task"],
                "group": facts["group"],
                "model": profile.provenance.model,
                "split": facts["split"],
                "noise": bool(facts["noise"]),
                "bits": int(facts["bits"]),
                "layers": points.layers,
                "jump": points.jump,
                "converge": points.converge,
                "converge_paper": depth_points(profile, "paper").converge,
                "peak": points.peak,
                "accuracy": points.accuracy,
                "selectivity": points.selectivity,
                "held": points.held,
                "words": float(facts["words"]),
                "chance": profile.chance,
            }
        )
    return pd.DataFrame(rows).sort_values("converge", kind="stable", ignore_index=True)


def difficulty_correlation(table: pd.DataFrame) -> float:
    """Spearman's correlation between what a task's group says of its difficulty and the depth at which it converges.

    Raises
    ------
    InputError : fewer than three tasks, or all of one group or depth.
    """
    from scipy.stats import spearmanr

    ranks = [GROUPS.index(group) for group in table["group"]]
    depths = table["converge"].to_numpy(dtype=float)
    if len(table) < 3 or len(set(ranks)) < 2 or len(set(depths)) < 2:
        raise InputError("a correlation of difficulty and depth needs three tasks, of two groups and depths at least")
    return float(spearmanr(ranks, depths).statistic)


def shifts(table: pd.DataFrame) -> pd.DataFrame:
    """By how many layers noise and rounding move the convergence of each task, and by how much they move its peak.

    Each row with noise or fewer than 32 bits is compared with the row of the same task, model and split without either.
    """
    clean = table[~table["noise"] & (table["bits"] == 32)].set_index(CONDITION)
    changed = table[table["noise"] | (table["bits"] != 32)]
    rows = []
    for row in changed.to_dict("records"):
        key = tuple(row[name] for name in CONDITION)
        if key not in clean.index:
            raise InputError(f"there is no undisturbed profile of {', '.join(map(str, key))} to compare with")
        before = clean.loc[key]
        rows.append(
            {
                **{name: row[name] for name in (*CONDITION, "noise", "bits")},
                "converge_layers": int(np.rint((row["converge"] - before["converge"]) * row["layers"])),
                "accuracy": row["accuracy"] - before["accuracy"],
            }
        )
    import pandas as pd

    return pd.DataFrame(rows)
