"""The data set of a model: one row per query and candidate answer, with the scenario that it belongs to.

Source: Saynova et al. (2024), "Fact Recall, Heuristics or Pure Guesswork? Precise Interpretations of Language Models
for Fact Completion" (Findings of ACL 2025), sections 3 and 4.1, arXiv 2410.14405.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explicate.benchmarks.prism.flags import Flags, Predictions, all_queries
from explicate.benchmarks.prism.scenarios import (
    GENERIC,
    HEURISTIC,
    Rules,
    generic_prompt,
    is_correct,
    is_trivial,
)
from explicate.data.language.facts import RELATIONS, Fact, Relation
from explicate.errors import InputError
from explicate.mechanisms.tracing import subject_spans
from explicate.models.language import LanguageModel
from explicate.runtime.files import write_text

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
FIELDS = (
    "sub_label", "obj_label", "predicate_id", "template", "prompt", "answers", "p_answers", "rank_answers",
    "popularity", "string_match", "person_name", "prompt_bias", "surface", "consistency", "correct", "scenario",
    "heuristic", "depth", "known_id", "subject", "candidate_prediction", "token", "span", "multi_token",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class PrismDataset:
    """Rows and what was left out.

    Attributes
    ----------
    frame : one row per query and candidate; the fields are `FIELDS`. `token` is the candidate's id, `span` the tokens
        of the subject in the prompt, `scenario` "" for rows that are none.
    dropped : what was skipped, and how often.
    """

    frame: pd.DataFrame
    dropped: dict[str, int]

    def of(self, scenario: str) -> pd.DataFrame:
        """The rows of a scenario."""
        return self.frame[self.frame["scenario"] == scenario].reset_index(drop=True)

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each scenario."""
        return {str(k): int(v) for k, v in self.frame["scenario"].value_counts().items() if k}

    def save(self, path: str | Path) -> Path:
        """Write the rows as JSON lines."""
        return write_text(path, self.frame.to_json(orient="records", lines=True, force_ascii=False))


@dataclass(frozen=True)
class PrismBuilder:
    """Ask a model facts in many wordings and sort its answers.

    Parameters
    ----------
    top : candidates of each query.
    invented_top : candidates in which an answer about an invented subject is looked for (3 in the paper; a small model
        begins with "the" and needs more); the depth at which it was found is kept.
    rules, flags : thresholds.
    relations : by name; their templates are asked.
    """

    top: int = 3
    invented_top: int = 3
    rules: Rules = field(default_factory=Rules)
    flags: Flags = field(default_factory=Flags)
    relations: Mapping[str, Relation] = field(default_factory=lambda: dict(RELATIONS))

    def build(
        self,
        model: LanguageModel,
        facts: Sequence[Fact],
        invented: Sequence[Fact] = (),
        pages: Sequence[tuple[str, str]] = (),
        fields: Sequence[str] = (),
    ) -> PrismDataset:
        """The data set of a model.

        Parameters
        ----------
        facts : existing subjects with objects and popularity. invented : subjects that do not exist.
        pages : titles and sentences, for generic language modelling.
        fields : known fields of work, for P101 of invented subjects.

        Raises
        ------
        InputError : nothing given, an unknown relation, or too few templates for exact recall.
        """
        import pandas as pd

        if not (facts or invented or pages):
            raise InputError("no facts, invented subjects or pages given")
        unknown = next((f.relation for f in (*facts, *invented) if f.relation not in self.relations), None)
        if unknown is not None:
            raise InputError(f"the relation {unknown!r} is unknown; there are {', '.join(self.relations)}")
        depth = max(self.top, self.invented_top, self.flags.names_top, self.flags.bias_top)
        predictions = Predictions(model, depth)
        dropped: Counter[str] = Counter()
        rows: list[Row] = []
        by_relation: dict[str, list[Fact]] = defaultdict(list)
        for fact in facts:
            by_relation[fact.relation].append(fact)
        for name, found in by_relation.items():
            self.rules.check(name, len(self.relations[name].templates))
            rows += self._existing(predictions, self.relations[name], found, dropped)
        by_relation = defaultdict(list)
        for fact in invented:
            by_relation[fact.relation].append(fact)
        for name, found in by_relation.items():
            rows += self._invented(predictions, self.relations[name], found, frozenset(fields), dropped)
        rows += self._generic(predictions, pages, dropped)
        rows = _with_spans(model, rows, dropped)
        frame = pd.DataFrame(rows, columns=list(FIELDS))
        return PrismDataset(frame, dict(dropped))

    def _existing(
        self, predictions: Predictions, relation: Relation, facts: Sequence[Fact], dropped: Counter[str]
    ) -> list[Row]:
        model = predictions.model
        queries = [(fact, template) for fact in facts for template in relation.templates]
        prompts = [relation.prompt(template, fact.subject) for fact, template in queries]
        answers = predictions.of([*prompts, *all_queries([fact.subject for fact in facts], relation)])[: len(prompts)]
        rows = []
        for (fact, template), prompt, answer in zip(queries, prompts, answers, strict=True):
            for rank in range(self.top):
                token = answer.ids[rank]
                row = self._row(model, fact, relation, template, prompt, token, answer.probabilities[rank], rank)
                self._flagged(row, predictions, relation, fact.subject, token)
                rows.append(row)
        counted: dict[tuple[Any, ...], set[str]] = defaultdict(set)
        for row in rows:
            counted[_group(row)].add(row["template"])
        objects = frozenset(text for fact in facts for text in fact.objects)
        for row in rows:
            row["consistency"] = len(counted[_group(row)])
            if row["popularity"] is None:
                dropped["popularity_missing"] += 1
            row["scenario"] = self.rules.scenario(row, row["consistency"], objects)
        return rows

    def _invented(
        self,
        predictions: Predictions,
        relation: Relation,
        facts: Sequence[Fact],
        fields: frozenset[str],
        dropped: Counter[str],
    ) -> list[Row]:
        model = predictions.model
        predictions.of(all_queries([fact.subject for fact in facts], relation))
        rows = []
        for fact in facts:
            prompts = [relation.prompt(template, fact.subject) for template in relation.templates]
            found: dict[int, dict[str, Row]] = defaultdict(dict)
            for template, prompt, answer in zip(relation.templates, prompts, predictions.of(prompts), strict=True):
                for rank in range(self.invented_top):
                    token = answer.ids[rank]
                    if not is_trivial(model.token_text(token), relation.name, fields):
                        row = self._row(
                            model, fact, relation, template, prompt, token, answer.probabilities[rank], rank
                        )
                        found[token][template] = row
            candidate = _leading(found)
            if candidate is None or len(found[candidate]) <= self.rules.invented_consistent:
                dropped["invented_inconsistent"] += 1
                continue
            for row in found[candidate].values():
                self._flagged(row, predictions, relation, fact.subject, candidate, invented=True)
                row["consistency"] = len(found[candidate])
                names = [name for name in ("prompt_bias", "person_name", "string_match") if row[name]]
                row["scenario"] = HEURISTIC if len(names) == 1 else ""
                row["heuristic"] = names[0] if len(names) == 1 else ""
                rows.append(row)
        return rows

    def _generic(self, predictions: Predictions, pages: Sequence[tuple[str, str]], dropped: Counter[str]) -> list[Row]:
        found = [generic_prompt(title, sentence) for title, sentence in pages]
        dropped["page_unfit"] += sum(one is None for one in found)
        kept = [one for one in found if one is not None]
        rows = []
        relation = Relation("generic", ("[X]",), ())
        answers = predictions.of([prompt for prompt, _ in kept])
        for (prompt, subject), answer in zip(kept, answers, strict=True):
            fact = Fact(subject, "generic")
            token, share = answer.ids[0], answer.probabilities[0]
            row = self._row(predictions.model, fact, relation, prompt, prompt, token, share, 0)
            rows.append(row | {"scenario": GENERIC})
        return rows

    def _row(
        self,
        model: LanguageModel,
        fact: Fact,
        relation: Relation,
        template: str,
        prompt: str,
        token: int,
        share: float,
        rank: int,
    ) -> Row:
        text = model.token_text(token)
        begins = [found for found in fact.objects if is_correct(text, [found])]
        return {
            "sub_label": fact.subject,
            "obj_label": ", ".join(fact.objects),
            "predicate_id": relation.name,
            "template": template,
            "prompt": prompt,
            "answers": text,
            "p_answers": share,
            "rank_answers": rank,
            "popularity": fact.popularity,
            "string_match": False,
            "person_name": False,
            "prompt_bias": False,
            "surface": False,
            "consistency": 0,
            "correct": bool(begins),
            "scenario": "",
            "heuristic": "",
            "depth": rank + 1,
            "known_id": f"{relation.name}/{fact.subject}",
            "subject": fact.subject,
            "candidate_prediction": text,
            "token": token,
            "span": None,
            "multi_token": any(text.strip() != found for found in begins),
        }

    def _flagged(
        self,
        row: Row,
        predictions: Predictions,
        relation: Relation,
        subject: str,
        token: int,
        invented: bool = False,
    ) -> None:
        row["string_match"] = self.flags.string_match(subject, row["answers"], invented)
        row["person_name"] = self.flags.person_name(predictions, subject, relation, token)
        row["prompt_bias"] = self.flags.prompt_bias(predictions, row["template"], relation, token)
        row["surface"] = row["string_match"] or row["person_name"] or row["prompt_bias"]


def _group(row: Row) -> tuple[Any, ...]:
    """Predictions that count as the same, in how many templates they come."""
    return row["predicate_id"], row["sub_label"], row["obj_label"], row["token"], row["surface"]


def _leading(found: Mapping[int, Mapping[str, Row]]) -> int | None:
    """The candidate that ranks highest: most templates, then the best ranks, then the smallest id."""
    if not found:
        return None
    return min(
        found,
        key=lambda token: (-len(found[token]), sum(row["rank_answers"] for row in found[token].values()), token),
    )


def _with_spans(model: LanguageModel, rows: list[Row], dropped: Counter[str]) -> list[Row]:
    """Where the subject is among each prompt's tokens; rows whose subject is not found are left out."""
    prompts = list(dict.fromkeys((row["prompt"], row["subject"]) for row in rows))
    spans = dict(zip(prompts, subject_spans(model, [p for p, _ in prompts], [s for _, s in prompts]), strict=True))
    kept = []
    for row in rows:
        span = spans[row["prompt"], row["subject"]]
        if span is None:
            dropped["subject_not_found"] += 1
        else:
            kept.append(row | {"span": span})
    return kept
