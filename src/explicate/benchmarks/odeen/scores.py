"""Scores on Odeen: whether a rule means the same as the true one, and what tags amount to.

Strings are never compared: 24,794 rules have 11,618 meanings. A parser is used here, for scoring, and by no network.

Source: Norelli et al. (2022), arXiv 2201.10222, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from explicate.core.capabilities import Array, Masks
from explicate.data.odeen import TruthTable, is_rule, truth
from explicate.errors import InputError


def equivalent(rule: str | None, true_rule: str) -> bool:
    """Whether a rule has the same truth on all 117,649 structures; a text outside the grammar, or none, is wrong."""
    if rule is None or not is_rule(rule):
        return False
    return rule == true_rule or bool(np.array_equal(truth(rule), truth(true_rule)))


def first_equivalent(rules: Sequence[str], true_rule: str, language: TruthTable) -> int | None:
    """The place of the first rule that means the same as the true one; None where there is none."""
    meaning = language.meaning[language.places[true_rule]]
    for place, rule in enumerate(rules):
        row = language.places.get(rule)
        if (row is not None and language.meaning[row] == meaning) or (row is None and equivalent(rule, true_rule)):
            return place
    return None


def nearest_rules(tags: Masks, structures: Array, language: TruthTable) -> Array:
    """The rules, as rows, that tag some structures (ids) most like `tags`: how a model that states no rule is read."""
    if tags.shape != structures.shape:
        raise InputError(f"{tags.size} tags of {structures.size} structures; give one for each")
    distances = (language.matrix(structures) != tags).sum(axis=1)
    return np.flatnonzero(distances == distances.min())


def nearest_rule_score(tags: Masks, structures: Array, true_rule: str, language: TruthTable) -> bool:
    """Whether the rules nearest to some tags all mean the same as the true one (NRS)."""
    meaning = language.meaning[language.places[true_rule]]
    return bool((language.meaning[nearest_rules(tags, structures, language)] == meaning).all())


def tag_scores(predicted: Masks, tags: Masks) -> dict[str, float]:
    """Accuracy, F1 of the tag true (1 where neither has it), and Hamming distance."""
    predicted, tags = np.asarray(predicted, dtype=bool), np.asarray(tags, dtype=bool)
    both = int((predicted & tags).sum())
    either = int(predicted.sum() + tags.sum())
    return {
        "accuracy": float((predicted == tags).mean()),
        "f1": 2 * both / either if either else 1.0,
        "hamming": float((predicted != tags).sum()),
    }


def random_floor(true_rules: Sequence[str], language: TruthTable) -> float:
    """The chance that a uniformly drawn rule means the same as the true one, mean over the true rules."""
    places = [language.places[rule] for rule in true_rules]
    return float(np.mean(language.sizes[places]) / len(language))
