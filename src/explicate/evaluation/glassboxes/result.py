"""What came of a comparison of glass boxes: one standing per model, and the readable models themselves."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explicate.core.explanation import Explanation
from explicate.data.table import Table
from explicate.errors import InputError
from explicate.evaluation.glassboxes.contestants import Kind
from explicate.evaluation.glassboxes.measures import MEASURES, Measure
from explicate.runtime.statistics import Interval

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
FILE = "glassboxes.json"


@dataclass(frozen=True)
class Standing:
    """How one model did.

    Attributes
    ----------
    values : measure -> value on rows not learned from, with its 95 % interval; empty where the model does not apply.
    behind : measure -> value less that of the best black box on the same rows, paired; empty for that one.
    ahead : measure -> value less that of the control, paired; empty for that one.
    size : how much there is to read in the model of all rows, in its own units; empty for what is not read.
    fit_seconds, predict_seconds : medians over the folds; the latter for 1,000 rows.
    importance : column -> how much accuracy goes when it is shuffled; of black boxes only.
    reason : why the model does not apply.
    """

    model: str
    kind: Kind
    values: Mapping[Measure, Interval] = field(default_factory=dict)
    behind: Mapping[Measure, Interval] = field(default_factory=dict)
    ahead: Mapping[Measure, Interval] = field(default_factory=dict)
    size: Mapping[str, int] = field(default_factory=dict)
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    importance: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @property
    def length(self) -> str:
        """The size in words: "2 rules, 5 literals"."""
        return ", ".join(f"{count:,} {_singular(unit) if count == 1 else unit}" for unit, count in self.size.items())


@dataclass(frozen=True, eq=False)
class GlassBoxComparison:
    """Readable models beside black boxes on one table.

    Attributes
    ----------
    table : what was predicted. folds, repeats, seed, by : as they were asked for.
    standings : readable models, black boxes, the control.
    explanations : readable model -> what it is, fitted to all rows.
    folder : where it is kept; None where it is not.
    """

    table: Table
    folds: int
    repeats: int
    seed: int
    by: Measure
    standings: tuple[Standing, ...]
    explanations: Mapping[str, Explanation] = field(default_factory=dict, repr=False)
    folder: Path | None = None

    def standing(self, model: str) -> Standing:
        """The standing of a model."""
        for one in self.standings:
            if one.model == model:
                return one
        raise InputError(f"no model {model!r}; there are {', '.join(one.model for one in self.standings)}")

    def of(self, kind: Kind) -> list[Standing]:
        """Standings of a kind that apply, the best first by the chosen measure."""
        there = [one for one in self.standings if one.kind == kind and one.values]
        return sorted(there, key=lambda one: -one.values[self.by].value)

    @property
    def reference(self) -> Standing:
        """The best black box, which the others are held against."""
        return self.of("black box")[0]

    @property
    def control(self) -> Standing:
        """What knows nothing but the classes' shares."""
        return self.of("control")[0]

    @property
    def shares(self) -> dict[str, float]:
        """Class -> its share of the rows, the largest first."""
        counts = {name: float((self.table.labels == code).mean()) for code, name in enumerate(self.table.class_names)}
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def to_frame(self) -> pd.DataFrame:
        """One row per model and measure."""
        import pandas as pd

        rows = []
        for one in self.standings:
            for measure in MEASURES:
                row: dict[str, Any] = {"model": one.model, "kind": one.kind, "measure": measure}
                for name, found in (("", one.values), ("behind", one.behind), ("ahead", one.ahead)):
                    there = found.get(measure)
                    for end in ("value", "low", "high"):
                        key = f"{name}_{end}" if name and end != "value" else name or end
                        row[key] = float("nan") if there is None else getattr(there, end)
                rows.append(row | {"size": one.length, "reason": one.reason})
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "format": FORMAT,
            "table": self.table.name,
            "rows": len(self.table),
            "columns": len(self.table.features),
            "classes": self.shares,
            "folds": self.folds,
            "repeats": self.repeats,
            "seed": self.seed,
            "by": self.by,
            "best_black_box": self.reference.model,
            "models": [dataclasses.asdict(one) for one in self.standings],
        }

    def __str__(self) -> str:
        head = f"{self.table.name}, {len(self.table):,} rows, {self.folds} folds"
        head += f" x {self.repeats}" * (self.repeats > 1) + f", seed {self.seed}"
        table = [["model", *MEASURES, f"{self.by}, difference*", "size", "fit s"]]
        for one in [*self.of("readable"), *self.of("black box"), *self.of("control")]:
            behind = one.behind.get(self.by)
            cells = [f"{one.values[measure].value:.3f}" for measure in MEASURES]
            size = one.length if one.kind == "readable" else f"({one.kind})"
            gap = "" if behind is None else f"{behind.value:+.3f} [{behind.low:+.3f}, {behind.high:+.3f}]"
            table.append([one.model, *cells, gap, size, f"{one.fit_seconds or 0:.2f}"])
        widths = [max(len(line[place]) for line in table) for place in range(len(table[0]))]
        lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in table]
        refused = [f"{one.model} does not apply: {one.reason}" for one in self.standings if one.reason]
        foot = f"* to {self.reference.model}, the best black box, on the same rows: paired 95 % interval"
        return "\n".join([head, *[line.rstrip() for line in lines], foot, *refused])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _singular(unit: str) -> str:
    return {"leaves": "leaf"}.get(unit, unit.removesuffix("s"))
