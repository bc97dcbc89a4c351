"""Labelled questions of one model in one setting."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from explicate.benchmarks.wack.items import Item
from explicate.errors import FileFormatError, InputError, first_line
from explicate.runtime.files import write_text

Label = Literal["correct", "HK+", "HK-", "middle"]
LABELS: tuple[Label, ...] = get_args(Label)
PROBED: tuple[Label, ...] = ("correct", "HK+", "HK-")
FORMAT = "explicate wack 1"


@dataclass(frozen=True)
class WackRecord:
    """One item, and what the model made of it.

    Attributes
    ----------
    item : the question with its gold answers.
    label : "correct", "HK+" (knows and errs), "HK-" (does not know) or "middle" (hits now and then).
    count_knowledge : hits among the answers after good examples.
    prompt : the altered setting's prefix and the question.
    answer : the model's own answer to `prompt`; None where it was not asked (middle items) or is not known.
    tests : the answers after good examples, the greedy one first.
    wrong : a wrong answer from the generic set, or "".
    fold : the fold of examples that the item was shown.
    gold_tokens, wrong_tokens : token ids, as published files have them.
    """

    item: Item
    label: Label
    count_knowledge: int
    prompt: str
    answer: str | None = None
    tests: tuple[str, ...] = ()
    wrong: str = ""
    fold: int = 0
    gold_tokens: tuple[int, ...] = ()
    wrong_tokens: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.label not in LABELS:
            raise InputError(f"there is no label {self.label!r}; use one of {', '.join(LABELS)}")
        if not self.prompt.endswith(self.item.prompt):
            raise InputError(f"the prompt of {self.item.question!r} does not end with its question")

    @property
    def answered(self) -> str:
        """The prompt and the model's own answer, for states after the answer.

        Raises
        ------
        InputError : there is no answer.
        """
        if self.answer is None:
            raise InputError(f"{self.item.question!r} has no answer in this setting; use states before the answer")
        text = self.answer.strip()
        return f"{self.prompt} {text}" if text else self.prompt


@dataclass(frozen=True)
class WackDataset(Sequence[WackRecord]):
    """Records of one model in one setting, none with the same question.

    Attributes
    ----------
    model : its name. fingerprint : of model and weights; "" where it is not known.
    setting : the altered setting's name. source : where the questions are from.
    tests : answers after good examples that knowledge was tested by.
    dropped : items left out before they were asked, by reason. flagged : questions whose gold answer is so short that
        it had to stand alone to count.
    """

    records: tuple[WackRecord, ...]
    model: str
    setting: str
    source: str = ""
    fingerprint: str = ""
    tests: int = 6
    dropped: dict[str, int] | None = None
    flagged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        twice = [question for question, n in Counter(each.item.question for each in self.records).items() if n > 1]
        if twice:
            raise InputError(f"the question {twice[0]!r} is in the data set twice; merge its gold answers")

    def __getitem__(self, place: Any) -> Any:
        return self.records[place]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[WackRecord]:
        return iter(self.records)

    def counts(self) -> dict[str, int]:
        """How many records each label has."""
        found = Counter(record.label for record in self.records)
        return {label: found[label] for label in LABELS}

    def of(self, *labels: Label) -> list[WackRecord]:
        """The records with one of these labels."""
        return [record for record in self.records if record.label in labels]

    def known(self) -> set[str]:
        """The questions that the model knows the answer of: every test was a hit."""
        return {record.item.question for record in self.records if record.label in ("correct", "HK+")}

    def questions(self, *labels: Label) -> set[str]:
        """The questions with one of these labels."""
        return {record.item.question for record in self.of(*labels)}

    def histogram(self) -> dict[int, int]:
        """How many records have how many hits."""
        found = Counter(record.count_knowledge for record in self.records)
        return {hits: found[hits] for hits in range(self.tests + 1)}

    def with_wrong(self, wrong: dict[str, str]) -> WackDataset:
        """The same with wrong answers by question, as a generic set has them."""
        records = tuple(replace(each, wrong=wrong.get(each.item.question, each.wrong)) for each in self.records)
        return replace(self, records=records)

    def __str__(self) -> str:
        counts = ", ".join(f"{n:,} {label}" for label, n in self.counts().items())
        return f"{len(self):,} questions, {self.model} in {self.setting}: {counts}"

    def save(self, path: str | Path) -> Path:
        """Write everything as JSON lines: a header, then one record a line."""
        header = {"format": FORMAT, **{key: value for key, value in vars(self).items() if key != "records"}}
        lines = [header, *(asdict(record) for record in self.records)]
        return write_text(path, "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines))

    @classmethod
    def load(cls, path: str | Path) -> WackDataset:
        """Read what `save` wrote; a `FileFormatError` names the line that is damaged."""
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
            header = json.loads(lines[0]) if lines else {}
            if not isinstance(header, dict) or header.pop("format", None) != FORMAT:
                raise FileFormatError(f"{path} is no data set of labelled questions (first line)")
            records = []
            for number, line in enumerate(lines[1:], 2):
                try:
                    records.append(_record(json.loads(line)))
                except (ValueError, TypeError, KeyError, AttributeError) as error:
                    raise FileFormatError(
                        f"{path}, line {number}: no labelled question ({first_line(error)})"
                    ) from error
            return cls(records=tuple(records), **{**header, "flagged": tuple(header["flagged"])})
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        except (json.JSONDecodeError, UnicodeDecodeError, TypeError, KeyError) as error:
            raise FileFormatError(f"{path} is damaged: {first_line(error)}") from error


def _record(line: dict[str, Any]) -> WackRecord:
    item = Item(line["item"]["question"], tuple(line["item"]["golds"]), line["item"]["topic"])
    lists = {key: tuple(line[key]) for key in ("tests", "gold_tokens", "wrong_tokens")}
    return WackRecord(**{**line, "item": item, **lists})
