"""From a study's figures to its report, and what the curves say together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from explicate.core.kinds import SemanticProbeReport
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.evaluation.learning_curves import CurveFit, curve_fit

FIGURES = (
    "generative_accuracy",
    "hidden_accuracy",
    "as_reference",
    "programs",
    "written_length",
    "reference_length",
    "length_difference",
    "length_p_value",
    "perplexity_solved",
    "perplexity_unsolved",
)


def report_of(
    steps: Sequence[int], points: Sequence[dict[str, Any]], last: dict[str, Any] | None, provenance: Provenance
) -> SemanticProbeReport:
    """The report of checkpoints (`ProgramSemantics.point`) and of the last one (`ProgramSemantics.last`).

    Raises
    ------
    InputError : a checkpoint wrote no program at all, so that there was nothing to probe.
    """
    silent = [step for step, point in zip(steps, points, strict=True) if "readings" not in point]
    if silent:
        raise InputError(f"the checkpoint of step {silent[0]} wrote no program; leave it out, or mask its grammar")
    keys = [key.rsplit("/", 1) for point in points for key in point["readings"]]
    features, offsets = list(dict.fromkeys(k[0] for k in keys)), sorted({int(k[1]) for k in keys})
    dims = ("checkpoint", "feature", "offset")
    variables: dict[str, Any] = {
        name: (("checkpoint",), [_number(point[name]) for point in points]) for name in FIGURES
    }
    for what in ("accuracy", "majority"):
        variables[what] = (dims, _grid([point["readings"] for point in points], features, offsets, what))
    coords: dict[str, Any] = {"checkpoint": list(steps), "feature": features, "offset": offsets}
    attributes: dict[str, Any] = {}
    if last is not None:
        found = xr.Dataset.from_dict(last["intervention"])
        names = ("semantics", "probe", "part_of_state", "distance")
        variables["intervention"] = (names, found["accuracy"].values)
        variables["intervention_majority"] = (names, found["majority"].values)
        kept = found["semantics"].values.tolist()
        variables["move_share"] = (("semantics",), [last["move_share"][name] for name in kept])
        variables["screen"] = (("alternative",), found["screen"].values)
        variables["dropped"] = (("alternative",), found["dropped"].values)
        renamed = zip(names, ("semantics", "probe", "feature", "offset"), strict=True)
        coords |= {new: found[old].values.tolist() for new, old in renamed}
        coords["alternative"] = found["alternative"].values.tolist()
        coords["baseline"] = list(last["baselines"])
        readings = list(last["baselines"].values())
        variables["baseline_accuracy"] = (("baseline", *dims[1:]), _grid(readings, features, offsets, "accuracy"))
        attributes = {"left_out": ", ".join(found.attrs["left_out"])}
        if last["shortest_length"]:
            attributes |= {f"{name}_length": value for name, value in last["shortest_length"].items()}
    return SemanticProbeReport(xr.Dataset(variables, coords=coords, attrs=attributes), provenance)


def regression(report: SemanticProbeReport, feature: str, offset: int = 0, first: int = 0) -> CurveFit:
    """Generative accuracy regressed on probe accuracy over the checkpoints.

    Parameters
    ----------
    first : checkpoints of fewer steps are left out, such as those of the warm-up; so are those without an accuracy.
    """
    curve = report.curve(feature, offset)
    kept = (report["checkpoint"].values >= first) & np.isfinite(curve)
    return curve_fit(curve[kept], report["generative_accuracy"].values[kept])


def _grid(readings: Sequence[dict[str, Any]], features: list[str], offsets: list[int], what: str) -> np.ndarray:
    def value(one: dict[str, Any], key: str) -> float:
        return float(one[key][what]) if key in one else float("nan")

    return np.array([[[value(one, f"{name}/{offset}") for offset in offsets] for name in features] for one in readings])


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
