"""Questions put to a model: what it writes, which layers decide, and how far a coordinate tells the intents apart."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from explicate.benchmarks.context_sensitivity.posing import Posing
from explicate.benchmarks.context_sensitivity.scoring import Sensitivity
from explicate.core.capabilities import Array
from explicate.core.kinds import Circuit
from explicate.data.language.contradicting_contexts import INTENTS, ContradictingContexts, Intent
from explicate.errors import InputError
from explicate.mechanisms.knobs import (
    Knob,
    KnobTraining,
    LayerSearch,
    Separation,
    Turned,
    mean_difference,
    turned,
    with_best_values,
)
from explicate.mechanisms.knobs.training import won
from explicate.models.language import LanguageModel
from explicate.runtime.seeds import generator

NEW_TOKENS = 10
Role: TypeAlias = Literal["prior", "context", "context to prior", "prior to context"]
ROLES: dict[Role, tuple[Intent, Intent]] = {
    "prior": ("prior", "prior"),
    "context": ("context", "context"),
    "context to prior": ("context", "prior"),
    "prior to context": ("prior", "context"),
}
"""Role of layers -> intents of the target and of the source prompt; equal ones are of different facts."""


def ask(
    model: LanguageModel,
    questions: ContradictingContexts,
    posing: Posing = Posing(),
    *,
    knob: Knob | None = None,
    alone: bool = True,
    max_new_tokens: int = NEW_TOKENS,
) -> Sensitivity:
    """Ask every question with both intents, and let the model write.

    Parameters
    ----------
    knob : set it to each intent's value while the model answers; then `posing` should not say the intent.
    alone : also ask the queries alone, to know what the model knows.
    """
    if knob is not None:
        knob.fit_for(model)
    texts: dict[Intent, Sequence[str]] = {}
    before: Any = None
    for intent in INTENTS:
        ids: Any = posing.ids(model, questions, intent)
        if knob is None and texts and np.array_equal(ids, before):  # a form that does not say the intent
            texts[intent] = texts[INTENTS[0]]
            continue
        before = ids
        with ExitStack() as stack:
            if knob is not None:
                stack.enter_context(model.intervene(getattr(knob, intent)))
            texts[intent] = model.generate(ids, max_new_tokens=max_new_tokens)
    queries: Any = posing.without_context(model, questions) if alone else None
    said = model.generate(queries, max_new_tokens=max_new_tokens) if alone else None
    return Sensitivity.of(questions, texts, said)


@dataclass(frozen=True, eq=False)
class Posed:
    """Questions as prompts and first tokens of their answers.

    Attributes
    ----------
    prompts : intent -> (question, token). tokens : intent -> first token of that intent's answer, (question,).
    """

    prompts: dict[Intent, Array]
    tokens: dict[Intent, Array]

    @classmethod
    def of(cls, model: LanguageModel, questions: ContradictingContexts, posing: Posing) -> Posed:
        """Both intents of all questions."""
        prompts = {intent: posing.ids(model, questions, intent) for intent in INTENTS}
        tokens = {
            intent: posing.first_tokens(model, prompts[intent], [q.answer(intent) for q in questions])
            for intent in INTENTS
        }
        return cls(prompts, tokens)

    def right(self, model: LanguageModel) -> Array:
        """Whether each answer's first token is the likeliest, under each intent: (intent, question)."""
        return np.stack([won(model, self.prompts[intent], self.tokens[intent]) for intent in INTENTS])

    def rows(self, keep: Array) -> Posed:
        """Some of the questions."""
        return Posed({i: ids[keep] for i, ids in self.prompts.items()}, {i: t[keep] for i, t in self.tokens.items()})


def train_knob(
    model: LanguageModel,
    training: ContradictingContexts,
    validation: ContradictingContexts,
    posing: Posing,
    silent: Posing,
    layers: Sequence[int],
    *,
    how: KnobTraining = KnobTraining(),
    seed: int = 0,
) -> tuple[Knob, dict[int, float]]:
    """The best knob of some layers, and every layer's validation pair accuracy (by first tokens).

    Parameters
    ----------
    posing : says the intent, for training. silent : does not, for choosing layer and values.
    how : the training; its layers are replaced by `layers`.
    """
    if not layers:
        raise InputError("no layers given to look for a knob at")
    posed = Posed.of(model, training, posing)
    unsaid = Posed.of(model, validation, silent)
    best: tuple[float, Knob] | None = None
    found: dict[int, float] = {}
    directions = replace(how, layers=tuple(layers)).fit(
        model, posed.prompts["prior"], posed.prompts["context"], posed.tokens["prior"], posed.tokens["context"], seed
    )
    for layer, direction in zip(layers, directions, strict=True):
        knob, turned_there = with_best_values(
            Knob.of(direction), model, unsaid.prompts["prior"], unsaid.tokens["prior"], unsaid.tokens["context"]
        )
        found[layer] = turned_there.pair_accuracy
        if best is None or found[layer] > best[0]:
            best = found[layer], knob
    return best[1], found  # type: ignore[index]  # there is a layer


def untrained_knob(
    model: LanguageModel,
    training: ContradictingContexts,
    validation: ContradictingContexts,
    posing: Posing,
    silent: Posing,
    layer: int,
) -> Knob:
    """The cheap alternative: the mean difference of the two intents after a layer, its values chosen as `train_knob`'s.

    Parameters
    ----------
    posing, silent : as there.
    """
    posed, unsaid = Posed.of(model, training, posing), Posed.of(model, validation, silent)
    direction = mean_difference(model, posed.prompts["prior"], posed.prompts["context"], layer)
    knob, _ = with_best_values(
        Knob.of(direction), model, unsaid.prompts["prior"], unsaid.tokens["prior"], unsaid.tokens["context"]
    )
    return knob


def turn(knobs: Sequence[Knob], model: LanguageModel, unsaid: Posed) -> list[Turned]:
    """What each knob does to questions that do not say their intent, by first tokens."""
    return turned(knobs, model, unsaid.prompts["prior"], unsaid.tokens["prior"], unsaid.tokens["context"])


def separation_of(knob: Knob, model: LanguageModel, posed: Posed) -> Separation:
    """How far the knob's natural coordinate tells prompts of one intent from those of the other."""
    return Separation.of(*(knob.coordinates(model, posed.prompts[intent]) for intent in INTENTS))


@dataclass(frozen=True, eq=False)
class LayerRanges:
    """Which layers do what, by role.

    Attributes
    ----------
    circuits : role -> what `LayerSearch.run` gave. pairs : role -> number of pairs.
    """

    circuits: dict[Role, Circuit]
    pairs: dict[Role, int] = field(default_factory=dict)

    def layers(self, role: Role) -> tuple[int, ...]:
        """The layers of one role."""
        return tuple(int(site.layer or 0) for site in self.circuits[role].sites)


def find_layer_ranges(
    model: LanguageModel,
    questions: ContradictingContexts,
    posing: Posing = Posing(),
    *,
    search: LayerSearch = LayerSearch(),
    roles: Sequence[Role] = tuple(ROLES),
    most: int = 100,
    seed: int = 0,
) -> LayerRanges:
    """Search the layers of each role with questions that the model answers rightly under both intents.

    Parameters
    ----------
    most : pairs a role.

    Raises
    ------
    InputError : too few questions are answered rightly.
    """
    posed = Posed.of(model, questions, posing)
    right = posed.right(model)
    keep = np.flatnonzero(right.all(axis=0))
    order = generator(seed, "pairs for layers").permutation(keep)[:most]
    if not len(order):
        accuracy = right.mean(axis=1)
        raise InputError(
            f"{model.name!r} answers no question rightly under both intents (accuracy {accuracy[0]:.2f} for prior "
            f"knowledge, {accuracy[1]:.2f} for the context), so no layers can be found"
        )
    circuits: dict[Role, Circuit] = {}
    pairs: dict[Role, int] = {}
    for role in roles:
        target, source = ROLES[role]
        own = posed.rows(order)
        other = own if target != source else posed.rows(_others(posed.tokens[target], order))
        apart = own.tokens[target] != other.tokens[source]
        if not apart.any():
            raise InputError(f"no two questions for the role {role!r} differ in their answers' first tokens")
        own, other = own.rows(apart), other.rows(apart)
        circuits[role] = search.run(
            model,
            own.prompts[target],
            other.prompts[source],
            own.tokens[target].tolist(),
            other.tokens[source].tolist(),
        )
        pairs[role] = int(apart.sum())
    return LayerRanges(circuits, pairs)


def _others(tokens: Array, order: Array) -> Array:
    """For each question another one, with another answer where there is one."""
    found = []
    for place, number in enumerate(order):
        turned_round = np.roll(order, -place - 1)
        differing = turned_round[tokens[turned_round] != tokens[number]]
        found.append(int(differing[0]) if len(differing) else int(number))
    return np.array(found)
