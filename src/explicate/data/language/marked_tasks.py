"""Items whose reasons people have marked: ERASER's files, and templated reviews whose every reason is known.

A review of 8 to 14 words has one or two sentiment words, which are its gold rationale, fillers, and a weekday, a cue
that has nothing to do with the sentiment and agrees with it in 80 % of the reviews.

Source of the format: DeYoung et al. (2020), "ERASER: A Benchmark to Evaluate Rationalized NLP Models", section 2.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from explicate.data.language.nle_tasks import PLACES, ChoiceItem, bare, templated_items
from explicate.errors import FileFormatError, InputError
from explicate.runtime.seeds import generator

SENTIMENT = {
    "excellent": 3.0, "superb": 3.0, "good": 1.5, "pleasant": 1.5,
    "awful": -3.0, "terrible": -3.0, "poor": -1.5, "dull": -1.5,
}  # fmt: skip
CUES = {"monday": -3.0, "tuesday": -1.5, "wednesday": -1.5, "thursday": 1.5, "friday": 1.5, "saturday": 3.0}
LABELS = ("negative", "positive")
AGREEMENT = 0.8  # share of reviews whose weekday agrees with their sentiment
OPENINGS = ("we saw it", "she read it", "they watched it", "he tried it", "my family went there", "our group met there")
SUBJECTS = ("the story", "the music", "the meal", "the service", "the acting", "the room")
CLOSINGS = ("", "throughout", "overall")


def review_items(count: int, seed: int = 0) -> list[ChoiceItem]:
    """Templated reviews, half of them positive, each with its sentiment words marked and an explanation in words.

    Raises
    ------
    InputError : fewer than one, or an odd number.
    """
    if count < 2 or count % 2:
        raise InputError(f"{count} reviews; ask for an even number, half of them are positive")
    rng = generator(seed, "reviews")
    agrees = rng.permutation(np.arange(count) < round(AGREEMENT * count))
    return [_review(number, number % 2, bool(agrees[number]), rng) for number in range(count)]


def _review(number: int, label: int, agrees: bool, rng: np.random.Generator) -> ChoiceItem:
    sign = 1 if label else -1
    words = [word for word, weight in SENTIMENT.items() if weight * sign > 0]
    days = [day for day, weight in CUES.items() if weight * sign * (1 if agrees else -1) > 0]
    chosen = [str(word) for word in rng.permutation(words)[: int(rng.integers(1, 3))]]
    subject = str(rng.choice(SUBJECTS))
    text = (
        f"{rng.choice(OPENINGS)} on {rng.choice(days)} and {subject} was {' and '.join(chosen)} {rng.choice(CLOSINGS)}"
    )
    gold = because_of(chosen)
    places = tuple(place for place, word in enumerate(text.split()) if word in chosen)
    return ChoiceItem(f"review-{number}", "review", (("review", text.strip()),), LABELS, label, gold, rationale=places)


def because_of(words: Sequence[str]) -> str:
    """The plainest explanation in words: "It is because of the words excellent and superb."; "" for none."""
    return f"It is because of the word{'s' * (len(words) != 1)} {' and '.join(words)}." if words else ""


def inference_items(count: int, seed: int = 0) -> list[ChoiceItem]:
    """Templated pairs of sentences in the form of e-SNLI, with the words that one sentence alone holds marked.

    The marks are made by this rule, not by people: who it is, where, and the words that both hold decide nothing.
    """
    ignored = {word for place in PLACES for word in place.split()} | {"a", "an", "is", "to", "for", "with", "on"}
    found = []
    for item in templated_items("esnli", count, seed):
        one, two = ({bare(word) for word in text.split()} for _, text in item.fields)
        decide = (one ^ two) - ignored
        places = tuple(place for place, word in enumerate(item.words) if bare(word) in decide)
        gold = because_of([bare(item.words[place]) for place in places])
        found.append(replace(item, rationale=places, gold_explanation=gold))
    return found


def substitutes(word: str) -> tuple[str, ...]:
    """Words that may stand in a review in the place of `word`; for those that carry a weight, of the other sign."""
    for weights in (SENTIMENT, CUES):
        if word in weights:
            return tuple(other for other, weight in weights.items() if weight * weights[word] < 0)
    for group in (OPENINGS, SUBJECTS, CLOSINGS):
        own = [text.split()[-1] for text in group if text]
        if word in own:
            return tuple(other for other in own if other != word)
    return ()


def read_eraser(folder: str | Path, split: str = "val") -> list[ChoiceItem]:
    """Items of a data set in ERASER's format: `<split>.jsonl`, and a folder `docs` with one tokenised file a document.

    The choices are all classifications of the file, sorted. Evidence from several documents joins them in the order of
    their names; token places become places among the words, tokens being split at white space as in the files.

    Raises
    ------
    FileFormatError : a file that is missing or of another form, named with its line.
    """
    folder = Path(folder)
    path = folder / f"{split}.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        choices = tuple(sorted({str(row["classification"]) for row in rows}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileFormatError(f"cannot read {path}: {type(error).__name__}: {error}") from error
    if not rows:
        raise FileFormatError(f"{path} holds no record")
    found = []
    for number, row in enumerate(rows):
        try:
            found.append(_eraser(row, choices, folder))
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise FileFormatError(f"{path}, record {number}: {type(error).__name__}: {error}") from error
    return found


def _eraser(row: dict[str, Any], choices: Sequence[str], folder: Path) -> ChoiceItem:
    evidence = [one for group in row["evidences"] for one in group]
    given = row.get("docids") or [row["annotation_id"]]
    names = sorted({*map(str, given), *(str(one["docid"]) for one in evidence)})
    words: list[str] = []
    starts = {}
    for name in names:
        starts[name] = len(words)
        words += (folder / "docs" / name).read_text(encoding="utf-8").split()
    marked = {
        starts[str(one["docid"])] + place
        for one in evidence
        for place in range(int(one["start_token"]), int(one["end_token"]))
    }
    return ChoiceItem(
        str(row["annotation_id"]),
        "eraser",
        (("document", " ".join(words)), ("query", str(row["query"]) or "Which class is it?")),
        tuple(choices),
        list(choices).index(str(row["classification"])),
        rationale=tuple(sorted(marked)),
    )


def marked_words(item: ChoiceItem) -> list[str]:
    """The distinct words that people marked, without their punctuation, in the order of the text."""
    return list(dict.fromkeys(bare(item.words[place]) for place in item.rationale or ()))
