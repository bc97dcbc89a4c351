"""Questions whose context contradicts what is known, each with two answers: the context's, and that of prior knowledge.

A model that can be told which of the two to give answers a question rightly twice, so a question is always kept or left
out as a whole: what a split or a filter does to one of its two rows it does to both.

Source: Minder, Du, Stoehr, Monea, Wendler, West, Cotterell (2024), "Controllable Context Sensitivity and the Knob
Behind It", section 3; the file's layout is that of its data.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, TypeAlias

import numpy as np

from explicate.errors import FileFormatError, InputError, LeakageError, MissingColumnError
from explicate.runtime.files import write_text
from explicate.runtime.seeds import generator

Intent: TypeAlias = Literal["prior", "context"]
INTENTS: tuple[Intent, Intent] = ("prior", "context")
COLUMNS = (
    "context", "query", "weight_context", "answer", "ctx_answer", "prior_answer", "subject", "object", "rel_p_id",
)  # fmt: skip
SHARED = tuple(column for column in COLUMNS if column not in ("weight_context", "answer"))


@dataclass(frozen=True)
class ContradictedQuestion:
    """A question, a context that contradicts what is known, and the two answers.

    Attributes
    ----------
    context, query : what the model reads.
    context_answer : what follows from the context. prior_answer : what is known without it.
    subject, object, relation : of the contradicted fact; `object` is what the context puts in.
    """

    context: str
    query: str
    context_answer: str
    prior_answer: str
    subject: str = ""
    object: str = ""
    relation: str = ""

    def answer(self, intent: Intent) -> str:
        """The right answer under an intent."""
        return self.context_answer if intent == "context" else self.prior_answer


@dataclass(frozen=True)
class ContradictingContexts:
    """Questions with contradicting contexts, and how many rows were left out for which reason.

    Attributes
    ----------
    questions : each stands for two rows of the file.
    dropped : reason -> rows.
    """

    questions: tuple[ContradictedQuestion, ...]
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.questions)

    def __iter__(self) -> Iterator[ContradictedQuestion]:
        return iter(self.questions)

    def __add__(self, other: ContradictingContexts) -> ContradictingContexts:
        return ContradictingContexts((*self.questions, *other.questions), _sum(self.dropped, other.dropped))

    @property
    def relations(self) -> tuple[str, ...]:
        """The relations that occur, sorted."""
        return tuple(sorted({question.relation for question in self.questions}))

    # -- choosing --------------------------------------------------------------------------------------------------

    def where(self, keep: Iterable[bool], reason: str = "left out") -> ContradictingContexts:
        """The questions marked in `keep`; of each of the others both rows count as dropped for `reason`."""
        marks = [bool(mark) for mark in keep]
        if len(marks) != len(self.questions):
            raise InputError(f"{len(marks)} marks for {len(self.questions)} questions; give one each")
        kept = tuple(question for question, mark in zip(self.questions, marks, strict=True) if mark)
        gone = 2 * (len(marks) - len(kept))
        return ContradictingContexts(kept, _sum(self.dropped, {reason: gone} if gone else {}))

    def distinguishable(
        self, first_token: Callable[[ContradictedQuestion, str], int] | None = None
    ) -> ContradictingContexts:
        """Without the questions whose two answers are the same, or begin with the same token as `first_token` says."""
        different = self.where((q.context_answer != q.prior_answer for q in self.questions), "equal answers")
        if first_token is None:
            return different
        apart = (first_token(q, q.context_answer) != first_token(q, q.prior_answer) for q in different.questions)
        return different.where(apart, "equal first token")

    def sample(self, most: int, seed: int = 0) -> ContradictingContexts:
        """At most so many of the questions, drawn without replacement and in their order; no row counts as dropped."""
        chosen = generator(seed, "sample").permutation(len(self.questions))[:most]
        return ContradictingContexts(tuple(self.questions[int(i)] for i in sorted(chosen)), self.dropped)

    def split(
        self,
        shares: Sequence[float] = (0.6, 0.2, 0.2),
        *,
        by: Literal["relation", "subject"] = "relation",
        seed: int = 0,
    ) -> tuple[ContradictingContexts, ...]:
        """Cut into parts of about these shares that have no relation, or no subject, in common.

        Raises
        ------
        InputError : fewer relations (subjects) than parts.
        """
        if any(share <= 0 for share in shares) or not np.isclose(sum(shares), 1.0):
            raise InputError(f"shares {tuple(shares)} must be above 0 and add up to 1")
        groups = Counter(getattr(question, by) for question in self.questions)
        if len(groups) < len(shares):
            raise InputError(f"{len(groups)} values of {by} cannot fill {len(shares)} parts; split by another, or less")
        names = sorted(groups)
        order = [names[i] for i in generator(seed, "split", by).permutation(len(names))]
        order.sort(key=lambda name: -groups[name])  # large groups first: the small ones then even out the shares
        sizes = np.zeros(len(shares))
        part_of: dict[str, int] = {}
        for place, name in enumerate(order):
            waiting = np.flatnonzero(sizes == 0) if len(order) - place <= int((sizes == 0).sum()) else None
            room = np.array(shares) * len(self.questions) - sizes
            part = int(room.argmax()) if waiting is None else int(waiting[room[waiting].argmax()])
            part_of[name] = part
            sizes[part] += groups[name]
        return tuple(
            ContradictingContexts(tuple(q for q in self.questions if part_of[getattr(q, by)] == part))
            for part in range(len(shares))
        )

    # -- files -----------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write as CSV: two adjacent rows a question, that of the prior answer (`weight_context` 0) first."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for question in self.questions:
            for weight, intent in enumerate(INTENTS):
                shared = {
                    "context": question.context,
                    "query": question.query,
                    "ctx_answer": question.context_answer,
                    "prior_answer": question.prior_answer,
                    "subject": question.subject,
                    "object": question.object,
                    "rel_p_id": question.relation,
                }
                writer.writerow({**shared, "weight_context": weight, "answer": question.answer(intent)})
        return write_text(path, text.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a CSV file; a row without its partner right beside it is left out and counted, as are equal answers."""
        try:
            text = Path(path).read_bytes().decode("utf-8")
        except FileNotFoundError as error:
            raise InputError(f"there is no file {path}") from error
        except UnicodeDecodeError as error:
            raise FileFormatError(f"{path} is no UTF-8 text: {error}") from error
        reader = csv.DictReader(io.StringIO(text, newline=""))
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise MissingColumnError(f"{path} lacks the columns {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
        rows = [_checked(row, number, path) for number, row in enumerate(reader, start=2)]
        questions: list[ContradictedQuestion] = []
        dropped: Counter[str] = Counter()
        place = 0
        while place < len(rows):
            pair = rows[place : place + 2]
            if len(pair) < 2 or not _partners(*pair):
                dropped["partner missing"] += 1
                place += 1
                continue
            place += 2
            row = pair[0]
            if row["ctx_answer"] == row["prior_answer"]:
                dropped["equal answers"] += 2
                continue
            questions.append(
                ContradictedQuestion(
                    row["context"],
                    row["query"],
                    row["ctx_answer"],
                    row["prior_answer"],
                    row["subject"],
                    row["object"],
                    row["rel_p_id"],
                )
            )
        return cls(tuple(questions), dict(dropped))


def check_leakage(train: ContradictingContexts, test: ContradictingContexts, *, allow_overlap: bool = False) -> None:
    """Refuse test questions about relations, or the very facts, that were trained on.

    Parameters
    ----------
    allow_overlap : relations may be shared, not so a relation's subjects.

    Raises
    ------
    LeakageError : names what both have.
    """
    shared = sorted(set(train.relations) & set(test.relations))
    if shared and not allow_overlap:
        raise LeakageError(
            f"the relations {', '.join(map(repr, shared))} are in training and test questions; "
            "split by relation, or say allow_overlap=True where only the subjects differ"
        )
    facts = {(q.relation, q.subject) for q in train} & {(q.relation, q.subject) for q in test}
    if facts:
        relation, subject = min(facts)
        raise LeakageError(
            f"{len(facts)} facts are in training and test questions, such as {relation!r} of {subject!r}"
        )


def _checked(row: dict[str, str | None], number: int, path: str | Path) -> dict[str, str]:
    values = {column: (row[column] or "").strip() for column in COLUMNS}
    weight = values["weight_context"]
    if weight not in ("0", "1", "0.0", "1.0"):
        raise FileFormatError(f"{path}, line {number}: weight_context is {weight!r}; it must be 0 or 1")
    values["weight_context"] = weight[0]
    expected = values["ctx_answer"] if weight[0] == "1" else values["prior_answer"]
    if values["answer"] != expected:
        raise FileFormatError(
            f"{path}, line {number}: the answer {values['answer']!r} is not {expected!r}, "
            f"as weight_context {weight} says"
        )
    return values


def _partners(one: dict[str, str], two: dict[str, str]) -> bool:
    same = all(one[column] == two[column] for column in SHARED)
    return same and one["weight_context"] != two["weight_context"]


def _sum(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(one) + Counter(two))
