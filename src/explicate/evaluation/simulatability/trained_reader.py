"""A reader that has learned to read: a classifier trained on many pages with the model's answers.

It bounds what a text affords to somebody who knows nothing of its layout and everything about many other cases.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from explicate.errors import InputError
from explicate.evaluation.simulatability import layout
from explicate.evaluation.simulatability.readers import NoExplanationReader
from explicate.evaluation.simulatability.study import Shown, SimulationStudy

_NUMBER = re.compile(r"[+-]?\d+\.\d+")
_TOTAL = "Total evidence"


@dataclass(frozen=True, eq=False)
class TrainedReader(NoExplanationReader):
    """Counterfactual: logistic regression on what a page says, trained on the items of other studies. Forward: naive
    Bayes.

    Of a page it knows the model's answer, each edit, and of the explanation whether a line names an edited value (and
    the numbers of such lines, signed towards the model's answer). Nothing of it knows what a layout means.

    Parameters
    ----------
    study, method : cases with the model's answers, and what explains them; other cases than those that are read.
    explained : False leaves the explanation out: what the cases alone teach.
    """

    study: SimulationStudy
    method: str
    explained: bool = True
    penalty: float = 1.0
    name: ClassVar[str] = "trained"

    def __post_init__(self) -> None:
        if len({item.flips for item in self.study.counterfactual}) < 2:
            raise InputError("a trained reader needs cases whose edits change the answer, and others; give more items")

    def counterfactual(self, pages: Sequence[Shown], classes: tuple[str, str]) -> list[str]:
        """As `SimulatedReader.counterfactual`."""
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        known = self.study.test("counterfactual").shown("post", self.method)
        flips = {item.id: item.flips for item in self.study.counterfactual}
        reader = make_pipeline(DictVectorizer(), LogisticRegression(C=self.penalty, max_iter=1000))
        reader.fit([self._facts(page, classes) for page in known], [flips[page.item] for page in known])
        turned = reader.predict([self._facts(page, classes) for page in pages])
        return [
            classes[1 - classes.index(str(page.model))] if turn else str(page.model)
            for page, turn in zip(pages, turned, strict=True)
        ]

    def _facts(self, page: Shown, classes: tuple[str, str]) -> dict[str, Any]:
        case, sign = layout.read_case(page.context), 1 if page.model == classes[1] else -1
        found: dict[str, Any] = {}
        for edit in layout.read_edits(page.perturbation or ""):
            for part, value in (("from", edit.old), ("to", edit.new)):
                found[f"{part} {' '.join(case.fact(edit.feature, value))} of {page.model}"] = 1.0
            if self.explained and page.explanation:
                self._read(found, page.explanation, edit, sign)
        return found

    def _read(self, found: dict[str, Any], text: str, edit: layout.Edit, sign: int) -> None:
        """What lines that name an edited value say."""
        for line in text.splitlines():
            if line.startswith(edit.feature + " ") or f" {edit.feature} " in line:
                kind = "new" if f" {edit.new}" in line else "old" if f" {edit.old}" in line else "other"
                found[f"{kind} named"] = found.get(f"{kind} named", 0.0) + 1.0
                for number in _NUMBER.findall(line):
                    found[f"{kind} weight"] = found.get(f"{kind} weight", 0.0) + sign * float(number)
            elif line.startswith(_TOTAL):
                found["evidence"] = sign * (float(_NUMBER.findall(line)[-1]) - 0.5)
