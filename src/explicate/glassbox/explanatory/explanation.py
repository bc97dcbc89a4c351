"""What a Critical Rationalist Network found: the rule that it states, and the conjectures that it rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from explicate.core.kinds import Rules
from explicate.core.registry import register
from explicate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

CHOSEN, REJECTED, MALFORMED = "chosen", "rejected", "malformed"


@register("conjectures", "kinds")
class Conjectures(Rules):
    """The rule that explains a table of tagged structures, and the conjectures that were rejected for it.

    Variables
    ---------
    rule : (rule,) as text: the chosen one first, where there is one, then the others by falling probability.
    verdict : (rule,), "chosen", "rejected" or "malformed" (outside the grammar, and so never judged).
    log_probability : (rule,), of the conjecture given the table (nats). rank : (rule,), its place in the beam, from 0.
    contradictions : (rule,), observations that the rule, as the interpreter reads it, gets wrong; -1 where malformed.
    reading : (rule, observation), the tag that the interpreter gives; -1 where malformed.
    table_structure, table_tag : (observation,), the table.
    interpreter_weight : (weight,), the interpreter; with the attribute `interpreter`, enough to read any rule again.
    structure : (sample,), optional: further structures; `prediction` (sample,): the place of their tag in `label`, -1
        where no rule was chosen.
    """

    kind: ClassVar[str] = "conjectures"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "rule": ("rule",),
        "verdict": ("rule",),
        "contradictions": ("rule",),
        "table_structure": ("observation",),
        "table_tag": ("observation",),
        "interpreter_weight": ("weight",),
    }

    @property
    def chosen(self) -> str | None:
        """The rule that is stated; None where no conjecture fits and the nearest one was not wanted."""
        verdicts = self.data["verdict"].values
        return self.texts[0] if len(verdicts) and verdicts[0] == CHOSEN else None

    @property
    def rejected(self) -> list[str]:
        """The other conjectures inside the grammar, likeliest first."""
        verdicts = self.data["verdict"].values
        return [text for text, verdict in zip(self.texts, verdicts, strict=True) if verdict == REJECTED]

    @property
    def malformed_count(self) -> int:
        """Conjectures outside the grammar."""
        return int((self.data["verdict"].values == MALFORMED).sum())

    @property
    def observations(self) -> int:
        """Observations of the table."""
        return int(self.data.sizes["observation"])

    @property
    def confidence(self) -> float | None:
        """The share of the table that the rule explains; None without a table or a rule."""
        if self.chosen is None or not self.observations:
            return None
        return 1 - int(self.data["contradictions"].values[0]) / self.observations

    @property
    def all_explained(self) -> bool:
        """Whether no observation contradicts the rule; such answers are far more often right."""
        return self.confidence == 1.0

    @property
    def statement(self) -> str:
        """How far to trust the rule, in words."""
        if not self.observations:
            return "none: there are no observations, and the rules are ordered by how likely they are beforehand"
        if not self.rejected and self.chosen is None:
            return "none: no conjecture is in the grammar"
        if self.chosen is None:
            return "none: every conjecture contradicts an observation, so no rule is stated"
        wrong = int(self.data["contradictions"].values[0])
        if not wrong:
            return f"all {self.observations} observations explained"
        return f"{self.observations - wrong} of {self.observations} observations explained; take the rule as a guess"

    @property
    def predictions(self) -> np.ndarray:
        """Tags (sample,) of the further structures; None, in an array of objects, where no rule was chosen.

        Raises
        ------
        InputError : the explanation is of no further structures.
        """
        if "prediction" not in self.data:
            raise InputError("the explanation is of a table alone; give the structures to predict")
        return tags_of(self.data["prediction"].values)

    def to_frame(self) -> pd.DataFrame:
        """One row per conjecture: text, verdict, contradictions, log-probability and rank."""
        frame = super().to_frame()
        return frame[["rule", "verdict", "contradictions", "log_probability", "rank"]]


def tags_of(places: np.ndarray) -> np.ndarray:
    """Booleans of 0 and 1; -1 becomes None, which makes the array one of objects."""
    places = np.asarray(places)
    if (places >= 0).all():
        return places.astype(bool)
    found = np.empty(len(places), dtype=object)
    found[:] = [None if place < 0 else bool(place) for place in places]
    return found
