"""Does a model contradict itself about a reference that it cited? It is asked again, and nobody else is.

Indirect queries (IQ) ask for the authors, several times in fresh contexts: a reference that exists has the same authors
each time, one that was made up has others each time. Direct queries (DQ) ask whether it exists, in three ways.

Source: Agrawal, Suzgun, Mackey, Kalai (2024), "Do Language Models Know When They're Hallucinating References?",
Findings of EACL 2024, arXiv 2305.18248, section 4.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from explicate.core.capabilities import Floats
from explicate.core.cost import measure
from explicate.core.kinds import Narrative
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.data.language.references import Reference, listing, normalised, read_references
from explicate.errors import EndpointError, InputError
from explicate.models.chat import ChatModel, Reply, all_answers, ask_in_form
from explicate.models.chat.messages import Asked, Conversation
from explicate.rationales.asking import Narrates
from explicate.rationales.author_lists import name_overlap, pairs
from explicate.rationales.reference_prompts import ReferencePrompts, list_shown, overlap_share, says_yes
from explicate.rationales.reference_scores import (
    ANSWERS,
    DIRECT,
    IQ,
    QUERIES,
    Direct,
    Indirect,
    deciding,
    ensembles,
    reasons,
)

FEW = 5  # fewer titles may all be known by heart, so that equal replies say nothing about how they were drawn
AGAIN = "There is no number at the start of this ({problem}). Answer again, beginning with ANS: and the number."
_FILTERED = re.compile(r"content.?(filter|management)", re.IGNORECASE)


@register("reference-check")
@dataclass(frozen=True)
class ReferenceChecker(Narrates):
    """Scores in [0, 1], high where a reference is likely to exist, from what the model that cited it says of it.

    Blind to references that exist but whose authors the model does not know, and to those that it confabulates in the
    same way each time. Direct queries are swayed by wording and by models that say yes to everything: read `yes_rate`.

    Parameters
    ----------
    n_authors : lists of authors that are drawn; n_direct : replies to each direct query.
    overlap : "llm" asks the model how many percent of the names in two lists agree; "names" compares first and last
        names, for models too small to be asked.
    direct : "samples", or "first-token": the probability that a reply begins with yes rather than no, from a model in
        this process, in the place of `n_direct` replies; it cannot be replayed from a log.
    queries : which of IQ, DQ1, DQ2 and DQ3 are asked. DQ3 shows the list that the title stood in, so it is left out,
        with a warning, where a reference has none.
    temperature : of the draws. At 0 nothing is drawn, and IQ is undefined.
    threshold : a reference whose score is above it is said to exist.
    prompts : the questions: "reference-questions", "reference-completions" for models that continue texts, or your own.
    direct_tokens, overlap_tokens : most tokens of a reply to a direct query, and to the question for the overlap.
    max_new_tokens : most tokens of a list of authors.
    attempts : most replies to one question for the overlap; with 1, as published, an unreadable one counts as 0.
    chat, log : see `Asks`.
    """

    max_new_tokens: int = 128
    n_authors: int = 3
    n_direct: int = 10
    overlap: Literal["llm", "names"] = "llm"
    direct: Literal["samples", "first-token"] = "samples"
    queries: tuple[str, ...] = QUERIES
    temperature: float = 1.0
    threshold: float = 0.5
    prompts: ReferencePrompts = field(default_factory=ReferencePrompts)
    direct_tokens: int = 15
    overlap_tokens: int = 50

    def __post_init__(self) -> None:
        self.check_fields()
        if self.n_authors < 2 or self.n_direct < 1:
            raise InputError(
                f"reference-check: {self.n_authors} lists of authors and {self.n_direct} direct replies; take at least "
                "2, which can be compared, and 1"
            )
        for name, value, known in (
            ("overlap", self.overlap, ("llm", "names")),
            ("direct", self.direct, ("samples", "first-token")),
        ):
            if value not in known:
                raise InputError(f"reference-check: {name} {value!r} is unknown; use {' or '.join(known)}")
        unknown = [query for query in self.queries if query not in QUERIES]
        if unknown or not self.queries:
            raise InputError(f"reference-check: no query {unknown[0] if unknown else '(none)'}; ask {list(QUERIES)}")

    def items_from(self, path: str | Path) -> Sequence[Reference]:
        """References from a file; see `read_references`."""
        return read_references(path)

    def explain(self, items: Sequence[Reference | str], seed: int = 0) -> Narrative:
        """Ask the model about references that it gave; labels are not looked at.

        Parameters
        ----------
        items : references, or titles alone.

        Returns
        -------
        `score` (sample, detector): IQ, DQ1, DQ2, DQ3, their mean DQ, and the ensembles IQ+DQ, IQ+DQ1, ...; NaN where IQ
        is undefined. `decided` (sample,), the score that decides, and `answer` (sample,) "exists" or "hallucinated";
        `text` (sample,), the reasons. `title`, `topic`, `position`, `status` (sample,). `author_reply`,
        `author_filtered` (sample, draw); `overlap`, `overlap_reply`, `overlap_unread` (sample, pair); `direct_reply`,
        `direct_filtered` (sample, query, reply). Attributes `filtered`, `unread`: shares.

        Raises
        ------
        InputError : no references. CapabilityError : "first-token" on a model that gives no log-probabilities.
        WindowError, EndpointError, ... : see `ChatModel`.
        """
        references = [Reference(one) if isinstance(one, str) else one for one in items]
        if not references:
            raise InputError("reference-check: no references to ask about")
        chat = self.opened()
        queries = self._possible(references)
        with measure() as cost:
            indirect = self.indirect_query(chat, references, seed) if IQ in queries else None
            direct = {
                name: ask(chat, references, seed)
                for name, ask in zip(
                    DIRECT, (self.direct_query_1, self.direct_query_2, self.direct_query_3), strict=True
                )
                if name in queries
            }
        scores: dict[str, Floats] = {}
        if indirect is not None:
            scores[IQ] = self._defined(indirect)
        scores |= {name: one.scores for name, one in direct.items()}
        data = self._dataset(references, ensembles(scores), indirect, direct)
        data.attrs |= {"chat": chat.name, "chat_fingerprint": chat.fingerprint(), "scripted": int(chat.scripted)}
        return Narrative(data, Provenance.of(self, chat, [one.to_dict() for one in references], cost, seed))

    # -- the queries -----------------------------------------------------------------------------------------------

    def indirect_query(self, chat: ChatModel, references: Sequence[Reference], seed: int = 0) -> Indirect:
        """Ask for the authors several times, and how far the lists agree."""
        asked = [self.prompts.asked("authors", title=one.title) for one in references]
        drawn = self._draws(
            chat, references, asked, IQ, self.n_authors, seed,
            max_new_tokens=self.max_new_tokens, stop=self.prompts.stop,
        )  # fmt: skip
        replies, filtered = _texts(drawn)
        numbers = pairs(self.n_authors)
        overlaps = np.zeros((len(references), len(numbers)))
        said, unread = np.full(overlaps.shape, "", dtype=object), np.zeros(overlaps.shape, dtype=bool)
        there = [
            (row, place)
            for row in range(len(references))
            for place, (i, j) in enumerate(numbers)
            if not (filtered[row, i] or filtered[row, j])
        ]
        lists = [(replies[row, numbers[place][0]], replies[row, numbers[place][1]]) for row, place in there]
        if self.overlap == "names":
            for (row, place), (one, other) in zip(there, lists, strict=True):
                overlaps[row, place] = name_overlap(one, other)
        elif lists:
            for (row, place), (value, text) in zip(there, self._compared(chat, lists), strict=True):
                overlaps[row, place], said[row, place], unread[row, place] = value or 0.0, text, value is None
        return Indirect(replies, filtered, overlaps, said, unread)

    def direct_query_1(self, chat: ChatModel, references: Sequence[Reference], seed: int = 0) -> Direct:
        """DQ1: whether the title exists."""
        asked = [self.prompts.asked("exists", title=one.title) for one in references]
        return self._direct(chat, references, asked, "DQ1", seed)

    def direct_query_2(self, chat: ChatModel, references: Sequence[Reference], seed: int = 0) -> Direct:
        """DQ2: the title as the model's own answer to a question for a famous reference, and whether that exists."""
        return self._direct(chat, references, [self.prompts.dialogue(one.title) for one in references], "DQ2", seed)

    def direct_query_3(self, chat: ChatModel, references: Sequence[Reference], seed: int = 0) -> Direct:
        """DQ3: the whole list that the title stood in, as a language model's, and whether number so-and-so exists."""
        asked = [self.prompts.asked("listed", listing=listing(one.answer), position=one.position) for one in references]
        return self._direct(chat, references, asked, "DQ3", seed)

    def _direct(
        self, chat: ChatModel, references: Sequence[Reference], asked: Sequence[Conversation], stage: str, seed: int
    ) -> Direct:
        if self.direct == "first-token":
            empty = np.empty((len(references), 0), dtype=object)
            return Direct(self._first_tokens(chat, asked), empty, np.empty(empty.shape, dtype=bool))
        drawn = self._draws(chat, references, asked, stage, self.n_direct, seed, max_new_tokens=self.direct_tokens)
        replies, filtered = _texts(drawn)
        said = np.array([[says_yes(text) for text in row] for row in replies], dtype=float)
        return Direct(said.mean(axis=1), replies, filtered)

    def _first_tokens(self, chat: ChatModel, asked: Sequence[Asked]) -> Floats:
        """P(yes) / (P(yes) + P(no)) of the first token, over all ways to begin them."""
        forms = (*self.prompts.yes, *self.prompts.no)
        found = chat.log_probabilities(
            [conversation for conversation in asked for _ in forms],  # type: ignore[misc]  # conversations are taken too
            [form for _ in asked for form in forms],
        )
        shares = np.exp(np.array([tokens[0] for tokens in found], dtype=float)).reshape(len(asked), len(forms))
        yes = shares[:, : len(self.prompts.yes)].sum(axis=1)
        chances: Floats = yes / np.maximum(shares.sum(axis=1), np.finfo(float).tiny)
        return chances

    def _draws(
        self,
        chat: ChatModel,
        references: Sequence[Reference],
        asked: Sequence[Conversation],
        stage: str,
        count: int,
        seed: int,
        **settings: Any,
    ) -> list[list[Reply]]:
        """`count` replies to each conversation; every title and draw has randomness of its own."""
        outcomes = chat.outcomes(
            [conversation for conversation in asked for _ in range(count)],
            repetition=[f"{stage} {draw}: {normalised(one.title)}" for one in references for draw in range(count)],
            temperature=self.temperature,
            seed=seed,
            **settings,
        )
        found = []
        for outcome in outcomes:
            if isinstance(outcome, EndpointError) and _FILTERED.search(str(outcome)):
                outcome = Reply("", "content_filter")
            if not isinstance(outcome, Reply):
                raise outcome
            found.append(outcome)
        return [found[start : start + count] for start in range(0, len(found), count)]

    def _compared(self, chat: ChatModel, lists: Sequence[tuple[str, str]]) -> list[tuple[float | None, str]]:
        """What the model says on the overlap of each pair, as a share and in its words."""
        asked = [self.prompts.asked("overlap", first=list_shown(one), second=list_shown(other)) for one, other in lists]

        def read(reply: Reply) -> tuple[float | None, str]:
            value = overlap_share(reply.text)
            return value, "" if value is not None else "the answer must begin with a number"

        found = ask_in_form(chat, asked, read, again=AGAIN, attempts=self.attempts, max_new_tokens=self.overlap_tokens)
        return [(one.value, one.replies[-1].text) for one in all_answers(found)]

    # -- what is made of them ----------------------------------------------------------------------------------------

    def _possible(self, references: Sequence[Reference]) -> list[str]:
        alone = sum(not one.answer for one in references)
        queries = [query for query in QUERIES if query in self.queries]
        if "DQ3" in queries and alone:
            if queries == ["DQ3"]:
                raise InputError(
                    f"reference-check: {alone} of {len(references)} references have no answer that they stood in, so "
                    "DQ3 cannot be asked; give answer and position, or ask other queries"
                )
            warnings.warn(
                f"DQ3 is left out: {alone} of {len(references)} references have no answer that they stood in",
                UserWarning,
                stacklevel=4,
            )
            queries.remove("DQ3")
        return queries

    def _defined(self, indirect: Indirect) -> Floats:
        """IQ, or NaN where there was nothing to draw."""
        if self.temperature == 0:
            problem = "at temperature 0 all lists of authors are one"
        elif len(indirect.replies) >= FEW and not indirect.drawn:
            problem = f"all {self.n_authors} lists are the same for each of {len(indirect.replies)} titles"
        else:
            return indirect.scores
        warnings.warn(
            f"IQ is undefined: {problem}, so their overlap says nothing; take a model that draws, at a "
            "temperature above 0",
            UserWarning,
            stacklevel=4,
        )
        return np.full(len(indirect.replies), np.nan)

    def _dataset(
        self,
        references: Sequence[Reference],
        scores: dict[str, Floats],
        indirect: Indirect | None,
        direct: dict[str, Direct],
    ) -> xr.Dataset:
        table = np.stack(list(scores.values()), axis=1)
        chosen = deciding(scores)
        decided = scores[chosen]
        answers = np.array(
            ["" if np.isnan(one) else ANSWERS[int(one > self.threshold)] for one in decided], dtype=object
        )
        asked = {name: values for name, values in scores.items() if name in QUERIES}
        texts = [
            reasons(one.title, answers[row], {name: float(values[row]) for name, values in asked.items()})
            for row, one in enumerate(references)
        ]

        def column(get: Callable[[Reference], object]) -> tuple[tuple[str], np.ndarray]:
            return ("sample",), np.array([get(one) for one in references], dtype=object)

        variables: dict[str, Any] = {
            "text": (("sample",), np.array(texts, dtype=object)),
            "score": (("sample", "detector"), table),
            "decided": (("sample",), decided),
            "answer": (("sample",), answers),
            "title": column(lambda one: one.title),
            "topic": column(lambda one: one.topic),
            "position": (("sample",), np.array([one.position for one in references])),
        }
        coordinates: dict[str, Any] = {"detector": list(scores)}
        status = np.full(len(references), "ok", dtype=object)
        shares: dict[str, float] = {}
        if indirect is not None:
            status[indirect.filtered.any(axis=1)] = "filtered"
            variables |= {
                "author_reply": (("sample", "draw"), indirect.replies),
                "author_filtered": (("sample", "draw"), indirect.filtered),
                "overlap": (("sample", "pair"), indirect.overlaps),
                "overlap_reply": (("sample", "pair"), indirect.said),
                "overlap_unread": (("sample", "pair"), indirect.unread),
            }
            coordinates["pair"] = [f"{i + 1} and {j + 1}" for i, j in pairs(self.n_authors)]
            shares = {"filtered": float(indirect.filtered.mean()), "unread": float(indirect.unread.mean())}
        if direct and self.direct == "samples":
            filtered = np.stack([one.filtered for one in direct.values()], axis=1)
            status[filtered.any(axis=(1, 2))] = "filtered"
            variables |= {
                "direct_reply": (
                    ("sample", "query", "reply"),
                    np.stack([one.replies for one in direct.values()], axis=1),
                ),
                "direct_filtered": (("sample", "query", "reply"), filtered),
            }
            coordinates["query"] = list(direct)
            shares["direct_filtered"] = float(filtered.mean())
        variables["status"] = (("sample",), status)
        return xr.Dataset(variables, coordinates, attrs={"decided_by": chosen, **shares})


def _texts(drawn: Sequence[Sequence[Reply]]) -> tuple[np.ndarray, np.ndarray]:
    """Replies as texts (title, draw), and which of them are empty or held back."""
    texts = np.array([[reply.text for reply in row] for row in drawn], dtype=object)
    filtered = np.array([[reply.empty or reply.finish == "content_filter" for reply in row] for row in drawn])
    return np.where(filtered, "", texts), filtered
