"""The plausibility axis: how an explanation looks to people. None of its tests asks the model anything.

Sources: DeYoung et al. (2020), "ERASER", section 4.1, for agreement with marked words; Lin (2004), "ROUGE"; Agarwal,
Tanneru, Lakkaraju (2024), arXiv 2402.04614, section 2, for what makes an explanation convincing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.kinds import Narrative
from explicate.data.language.nle_tasks import ChoiceItem, bare
from explicate.errors import InputError, MissingDependencyError
from explicate.evaluation.self_explanation.faithfulness import checked
from explicate.evaluation.self_explanation.measured import Axis, Measured, missing, rows_of
from explicate.evaluation.self_explanation.ratings import Ratings
from explicate.rationales.self_explanations import in_words, listed_words

TESTS = ("marked-words", "gold-text", "ratings", "fluency")
ALIKE = 1e-6  # below one, a mean likeness to other items' gold explanations that leaves no scale
SAME_SPAN = 0.5  # intersection over union from which two spans count as the same


@dataclass(frozen=True)
class PlausibilityBattery:
    """All tests of plausibility for which there is something to compare with.

    Parameters
    ----------
    tests : of `TESTS`.
    encoder : a sentence encoder, or its name, for "gold-text"; None compares the words alone (ROUGE-L).
    reference : a language model, or its name, whose log-likelihoods measure "fluency"; None leaves it out. Fluency
        alone measures nothing: it counts beside other tests only.
    ratings : by people or a judge, see `explicate.evaluation.self_explanation.ratings`.
    """

    tests: tuple[str, ...] = TESTS
    encoder: Any = "minilm"
    reference: Any = None
    ratings: Ratings | None = None

    def __post_init__(self) -> None:
        for name in self.tests:
            if name not in TESTS:
                raise InputError(f"there is no test of plausibility {name!r}; there are {', '.join(TESTS)}")

    def run(self, items: Sequence[ChoiceItem], explanation: Narrative) -> Axis:
        """Measure explanations of items, in the same order; nothing is asked of the model that wrote them."""
        checked(items, explanation)
        read = np.asarray(explanation["status"].values == "ok")
        texts = [in_words(explanation, place) if read[place] else "" for place in range(len(items))]
        found = []
        if "marked-words" in self.tests:
            found.append(marked_words(items, explanation, read))
        if "gold-text" in self.tests:
            found.append(gold_text(items, texts, self._encoder()))
        if "ratings" in self.tests and self.ratings is not None:
            found.append(self.ratings.measured([item.name for item in items]))
        if "fluency" in self.tests and self.reference is not None:
            others = any(test.used for test in found)
            found.append(fluency(items, texts, _loaded(self.reference), counted=others))
        attributes = explanation.data.attrs
        return Axis(
            "plausibility",
            tuple(found),
            tuple(item.name for item in items),
            read,
            str(attributes["form"]),
            str(attributes["chat"]),
            bool(attributes["scripted"]),
        )

    def _encoder(self) -> Any:
        return None if self.encoder is None else _loaded(self.encoder)


def _loaded(given: Any) -> Any:
    from explicate.models.loading import load_model

    return load_model(given) if isinstance(given, str) else given


# -- words that people marked --------------------------------------------------------------------------------------


def marked_words(items: Sequence[ChoiceItem], explanation: Narrative, read: Masks) -> Measured:
    """F1 of the words and of the spans that an explanation names against those that people marked.

    Where words have scores of their own, also the area under the precision-recall curve.
    """
    scored = str(explanation.data.attrs["form"]) == "token-importance"
    columns = ("F1 of words", "F1 of spans", *(("area under precision and recall",) if scored else ()))
    rows: list[list[float] | None] = []
    for place, item in enumerate(items):
        if item.rationale is None or not item.rationale or not read[place]:
            rows.append(None)
            continue
        known = dict(listed_words(explanation, place))
        scores = np.array([known.get(bare(word), 0.0) for word in item.words])
        marked = np.isin(np.arange(len(scores)), item.rationale)
        row = [word_f1(scores > 0, marked), span_f1(scores > 0, marked)]
        rows.append([*row, precision_area(scores, marked)] if scored else row)
    if all(row is None for row in rows):
        return missing("marked-words", len(items), "no item has words that people marked and a readable explanation")
    return Measured("marked-words", rows_of(rows, len(columns)), columns)


def word_f1(named: Masks, marked: Masks) -> float:
    """F1 of two sets of places, (word,) each; 0 where they share none."""
    both = int((named & marked).sum())
    return 2 * both / (int(named.sum()) + int(marked.sum())) if both else 0.0


def spans(mask: Masks) -> list[tuple[int, int]]:
    """The runs of places that are set, as (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(mask, dtype=int), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def span_f1(named: Masks, marked: Masks) -> float:
    """F1 of spans, two of which are the same from an intersection over union of one half on."""
    own, gold = spans(named), spans(marked)
    if not own or not gold:
        return 0.0

    def same(one: tuple[int, int], two: tuple[int, int]) -> bool:
        inside = min(one[1], two[1]) - max(one[0], two[0])
        return inside > 0 and inside / (max(one[1], two[1]) - min(one[0], two[0])) >= SAME_SPAN

    precision = np.mean([any(same(one, two) for two in gold) for one in own])
    recall = np.mean([any(same(one, two) for one in own) for two in gold])
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def precision_area(scores: Floats, marked: Masks) -> float:
    """Average precision of scored places against marked ones."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(marked, scores))


# -- explanations that people wrote ----------------------------------------------------------------------------------


def gold_text(items: Sequence[ChoiceItem], texts: Sequence[str], encoder: Any) -> Measured:
    """Likeness to the gold explanation: ROUGE-L, and the cosine of sentence embeddings.

    Both are put on a scale on which the mean likeness to the other items' gold explanations is 0 and identity is 1:
    explanations of one task look alike whatever they say. The plain ROUGE-L stands in the notes.
    """
    places = [place for place, item in enumerate(items) if item.gold_explanation and texts[place]]
    if len(places) < 2:
        return missing("gold-text", len(items), "fewer than two items have a gold explanation and a readable one")
    own = [texts[place] for place in places]
    gold = [items[place].gold_explanation for place in places]
    if len(set(gold)) == 1:
        reason = "the gold explanations of all items are alike, so there is nothing to tell them apart by"
        return missing("gold-text", len(items), reason)
    plain = likeness_by_words(own, gold)
    tables = [plain] if encoder is None else [plain, likeness_by_meaning(own, gold, encoder)]
    columns = ("ROUGE-L",) if encoder is None else ("ROUGE-L", "cosine of embeddings")
    found: Floats = np.full((len(items), len(tables)), np.nan)
    for column, table in enumerate(tables):
        right = np.diag(table)
        others = (table.sum(axis=1) - right) / (len(places) - 1)
        scale = np.where(others < 1 - ALIKE, 1 - others, np.nan)
        found[places, column] = (right - others) / scale
    return Measured("gold-text", found, columns, notes={"plain ROUGE-L": float(np.diag(plain).mean())})


def likeness_by_words(texts: Sequence[str], gold: Sequence[str]) -> Floats:
    """ROUGE-L's F of every text against every gold text: (text, gold)."""
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise MissingDependencyError(
            "likeness to gold explanations needs: pip install 'explicate[benchmarks]'"
        ) from error
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    return _table(texts, gold, lambda one, two: scorer.score(two, one)["rougeL"].fmeasure)


def likeness_by_meaning(texts: Sequence[str], gold: Sequence[str], encoder: Any) -> Floats:
    """Cosine of the embeddings of every text and every gold text: (text, gold)."""
    known = list(dict.fromkeys([*texts, *gold]))
    vectors = np.asarray(encoder.predict(encoder.encode(known)), dtype=float)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    place = {text: number for number, text in enumerate(known)}
    rows, columns = ([place[text] for text in one] for one in (texts, gold))
    return np.asarray(vectors[rows] @ vectors[columns].T)


def _table(texts: Sequence[str], gold: Sequence[str], measure: Any) -> Floats:
    """A measure of every pair, each different pair once."""
    known: dict[tuple[str, str], float] = {}
    found: Floats = np.empty((len(texts), len(gold)))
    for i, one in enumerate(texts):
        for j, two in enumerate(gold):
            if (one, two) not in known:
                known[one, two] = float(measure(one, two))
            found[i, j] = known[one, two]
    return found


# -- fluency -----------------------------------------------------------------------------------------------------------


def fluency(items: Sequence[ChoiceItem], texts: Sequence[str], model: Any, counted: bool) -> Measured:
    """Where the log-likelihood a token under a reference model lies among the gold explanations, as a percentile."""
    gold = [item.gold_explanation for item in items if item.gold_explanation]
    if not gold:
        return missing("fluency", len(items), "no item has a gold explanation to compare with")
    known = list(dict.fromkeys([*(text for text in texts if text), *gold]))
    starts = [PROMPT] * len(known)
    sizes = {text: float(one.mean()) for text, one in zip(known, model.log_probabilities(starts, known), strict=True)}
    reference: Array = np.sort([sizes[text] for text in gold])
    rows = [[_percentile(sizes[text], reference)] if text else None for text in texts]
    return Measured("fluency", rows_of(rows, 1), ("percentile",), counted=counted)


PROMPT = "Explanation: "


def _percentile(value: float, reference: Array) -> float:
    below = np.searchsorted(reference, value, "left") + np.searchsorted(reference, value, "right")
    return float(below / 2 / len(reference))
