"""Surface heuristics: could a prediction come from the subject's letters, from its name, or from the template alone?

Source: Saynova et al. (2024), "Fact Recall, Heuristics or Pure Guesswork?", section 3, and the data recipe of its
repository. Every query is answered once by a model, whatever facts it serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from explicate.core.capabilities import Array
from explicate.data.language.facts import Relation
from explicate.models.language import LanguageModel
from explicate.runtime.progress import track

PARTS_QUERY = "{part} is a common name in the following {noun}:"
SHORTEST_MATCH = 2
AT_ONCE = 256


@dataclass(frozen=True)
class Prediction:
    """The likeliest next tokens of one prompt: ids and probabilities, from the likeliest on."""

    ids: tuple[int, ...]
    probabilities: tuple[float, ...]


class Predictions:
    """A model's likeliest next tokens, each prompt asked once.

    Parameters
    ----------
    most : tokens kept.
    """

    def __init__(self, model: LanguageModel, most: int = 10) -> None:
        self.model = model
        self.most = most
        self._known: dict[str, Prediction] = {}

    def of(self, prompts: Iterable[str]) -> list[Prediction]:
        """The predictions for some prompts, in order."""
        wanted = list(prompts)
        missing = [prompt for prompt in dict.fromkeys(wanted) if prompt not in self._known]
        missing.sort(key=len)
        with self.model.scored_by("probability"):
            for start in track(range(0, len(missing), AT_ONCE), "asking the model"):
                part = missing[start : start + AT_ONCE]
                scores = self.model.predict(self.model.encode(part))
                best = _largest(scores, self.most)
                for prompt, ids, row in zip(part, best, scores, strict=True):
                    self._known[prompt] = Prediction(tuple(int(i) for i in ids), tuple(float(row[i]) for i in ids))
        return [self._known[prompt] for prompt in wanted]


def _largest(scores: Array, most: int) -> Array:
    part = np.argpartition(-scores, most, axis=1)[:, :most]
    order = np.argsort(-np.take_along_axis(scores, part, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(part, order, axis=1))


@dataclass(frozen=True)
class Flags:
    """When a prediction counts as one that heuristics give.

    Parameters
    ----------
    names_top : a name suggests a token that is among so many likeliest ones after "... is a common name in ...".
    bias_top : a template suggests a token that is among so many likeliest ones after a neutral subject.
    """

    names_top: int = 10
    bias_top: int = 10

    def string_match(self, subject: str, predicted: str, invented: bool = False) -> bool:
        """Whether the prediction is inside the subject, in any case; of invented ones only if it has 3 letters."""
        text = predicted.strip().casefold()
        if not text or (invented and len(text) <= SHORTEST_MATCH):
            return False
        return text in subject.casefold()

    def person_name(self, predictions: Predictions, subject: str, relation: Relation, token: int) -> bool:
        """Whether a part of the name suggests the token by itself."""
        return any(token in found.ids[: self.names_top] for found in predictions.of(name_queries(subject, relation)))

    def prompt_bias(self, predictions: Predictions, template: str, relation: Relation, token: int) -> bool:
        """Whether the template suggests the token without the subject."""
        return any(token in found.ids[: self.bias_top] for found in predictions.of(neutral_queries(template, relation)))


def name_queries(subject: str, relation: Relation) -> list[str]:
    """The prompts that ask what each part of a name suggests; none where subjects are no persons."""
    return [PARTS_QUERY.format(part=part, noun=noun) for part in subject.split() for noun in relation.nouns]


def neutral_queries(template: str, relation: Relation) -> list[str]:
    """The template with each neutral subject."""
    return [relation.prompt(template, subject) for subject in relation.neutral]


def all_queries(subjects: Sequence[str], relation: Relation) -> list[str]:
    """Every prompt that the flags of some subjects may need, to be asked in large batches."""
    names = [query for subject in subjects for query in name_queries(subject, relation)]
    return [*names, *(query for template in relation.templates for query in neutral_queries(template, relation))]
