"""In-context explainers: a chat model ranks the features behind another model's decision from a few of its answers.

Source: Kroeger, Ley, Krishna, Agarwal, Lakkaraju (2023), "Are Large Language Models Post Hoc Explainers?" (later
"In-Context Explainers"), arXiv 2310.05797, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.core.capabilities import Array, Floats, Targets
from explicate.core.registry import register
from explicate.core.targets import Contrast, Target
from explicate.errors import InputError, TargetError
from explicate.models.chat import Answer, Message, Reply, all_answers, ask_in_form
from explicate.rationales import in_context_prompts as prompts
from explicate.rationales.asking import Asks, Step, steps_of, trace
from explicate.rationales.in_context_prompts import FORMATS, STRATEGIES, Format, Strategy
from explicate.rationales.neighbourhood import ORDERS, SAMPLERS, Neighbourhood, Order, check_types, chosen
from explicate.rationales.rankings import letters, parse_integer, parse_ranking
from explicate.rationales.two_classes import class_one
from explicate.runtime.seeds import generator

OK, BAD_REPLY, UNSOLVABLE = "ok", "bad_reply", "unsolvable"
SHOTS, EXAMPLES = 16, 4
NO_OUTPUT = -9


@dataclass(frozen=True)
class Question:
    """What is asked about one instance.

    Attributes
    ----------
    prompt : the message, or None where the instance is unsolvable.
    hidden : the output of the last shot, for the strategy "prediction".
    """

    prompt: str | None
    hidden: int | None = None


@register("in-context")
@dataclass(frozen=True)
class InContextExplainer(Explainer, Asks):
    """A chat model that sees a few perturbed rows and the model's answers to them, and ranks the features.

    Feature names are hidden (A, B, C, ...) and the row itself is not shown. The attribution says the order and no more:
    the feature named first gets as many units as there are features, the next one fewer, those not named 0; it has no
    sign. A row whose neighbours are all of one class is "unsolvable" and nothing is asked; a reply that is no ranking
    is a "bad_reply". Both keep zeros, and `solved` leaves them out.

    Class 1 is the second of two classes. A model of more classes needs a target, which is then class 1 against the
    rest, or a `Contrast` of two.

    Parameters
    ----------
    strategy : "perturbation" asks for the most important features, "prediction" also for the output of the last shot,
        "instruction" walks through all features; "explanation" shows other rows with the rankings of an `explainer`.
    k : how many features are asked for; -1 for all.
    n_icl : rows shown; None: 16, or 4 for "explanation".
    sampler : "most_confident" (lowest and highest probabilities) or "random"; both take half from each class. For
        "explanation" the rows come from `examples`: "random" takes any, "most_confident" is not offered, "balanced"
        takes half from each class.
    order : "shuffle", or "alternate" between the classes.
    format : "delta" shows changes against the row, "raw" the perturbed values.
    soft, rescale : show probabilities instead of labels, and stretch those of one prompt to [0, 1].
    context, reasoning : whether the prompt says what the model is, and asks for reasoning.
    neighbourhood : the points that shots are taken from.
    scale : "background" measures columns from the smallest to the largest value of the model's typical rows; "unit"
        takes them as they are, for rows that are scaled already.
    feature_types : "c" or "d" (a 0/1 column, which flips) for each column; None: all "c", as in the paper's runs, but
        for columns that the model declares categories.
    two_letters : names AA, AB, ... for more than 26 features.
    explainer, examples : for "explanation": whose rankings are shown, and rows (row, feature) to show; by default LIME
        and the model's typical rows.
    chat, log, attempts, max_new_tokens : see `Asks`.

    Notes
    -----
    Beside the attribution: `ranking` (sample, rank), -1 where there is none; `status` (sample,); `step_...`
    (sample, step), the prompts, raw replies, tokens and seconds; for "prediction" `predicted_output` and
    `hidden_output` (sample,), -9 where there is none. Costs `neighbourhood.n_samples` evaluations and a call per row.
    """

    strategy: Strategy = "perturbation"
    k: int = -1
    n_icl: int | None = None
    sampler: Literal["most_confident", "random", "balanced"] | None = None
    order: Order = "shuffle"
    format: Format = "delta"
    soft: bool = False
    rescale: bool = False
    context: bool = True
    reasoning: bool = True
    neighbourhood: Neighbourhood = field(default_factory=Neighbourhood)
    scale: Literal["background", "unit"] = "background"
    feature_types: tuple[str, ...] | None = None
    two_letters: bool = False
    explainer: Any = None
    examples: Any = None
    kinds: ClassVar[tuple[str, ...]] = ("table",)
    signed: ClassVar[bool] = False
    compared: ClassVar[bool] = False

    def __post_init__(self) -> None:
        one_of("strategy", self.strategy, STRATEGIES)
        one_of("format", self.format, FORMATS)
        one_of("order", self.order, ORDERS)
        one_of("scale", self.scale, ("background", "unit"))
        if self.sampler is not None:
            known = ("random", "balanced") if self.strategy == "explanation" else SAMPLERS
            one_of(f"sampler of the strategy {self.strategy!r}", self.sampler, known)
        if self.shots < 2:
            raise InputError(f"in-context: n_icl is {self.n_icl}; show at least 2 rows")
        if self.k == 0 or self.k < -1:
            raise InputError(f"in-context: k is {self.k}; ask for 1 or more features, or -1 for all")
        if self.soft and self.strategy in ("prediction", "explanation"):
            raise InputError(f"in-context: the strategy {self.strategy!r} asks for labels; leave soft=False")
        if self.rescale and not self.soft:
            raise InputError("in-context: rescale stretches probabilities; it needs soft=True")

    @property
    def shots(self) -> int:
        """Rows shown."""
        return self.n_icl or (EXAMPLES if self.strategy == "explanation" else SHOTS)

    def resolved(self, model: Any, inputs: Array, target: Target) -> Targets:
        if target is None and model.output_count > 2:
            named = ", ".join(model.output_name(index) for index in range(min(4, model.output_count)))
            raise TargetError(
                f"in-context explains the choice between two classes; {model.name!r} has {model.output_count} ({named}"
                f"{', ...' if model.output_count > 4 else ''}): say which one, against the rest (target=0), or a "
                "Contrast of two"
            )
        return super().resolved(model, inputs, target)

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        seed = int(rng.integers(1 << 62))
        chat = self.opened()
        count = inputs.shape[1]
        k = count if self.k == -1 else self.k
        if k > count:
            raise InputError(f"in-context: k is {k}, but {model.name!r} has {count} features; ask for at most {count}")
        names = letters(count, self.two_letters)
        units = Units.of(self, model, inputs)
        if self.strategy == "explanation":
            questions = self._with_examples(model, inputs, targets, units, names, k, seed)
        else:
            questions = [
                self._about(model, row, target, units, names, k, seed)
                for row, target in zip(inputs, targets, strict=True)
            ]
        where: Literal["first", "last"] = "first" if self.strategy == "explanation" else "last"

        def read(reply: Reply) -> tuple[tuple[int, ...] | None, str]:
            return parse_ranking(reply.text, names, k, where)

        asked = {i: (Message("user", one.prompt),) for i, one in enumerate(questions) if one.prompt is not None}
        answers: list[Answer[tuple[int, ...]]] = []
        if asked:
            found = ask_in_form(
                chat,
                list(asked.values()),
                read,
                again=prompts.AGAIN,
                attempts=self.attempts,
                max_new_tokens=self.max_new_tokens,
            )
            answers = all_answers(found, [f"row {i}" for i in asked])
        extra: dict[str, Any] = {}
        if self.strategy == "prediction":
            extra = self._predictions(questions, answers)
        flags = {"chat": chat.name, "chat_fingerprint": chat.fingerprint(), "scripted": int(chat.scripted)}
        return ranked(count, k, [one.prompt is not None for one in questions], answers, extra, flags)

    # -- what is asked -----------------------------------------------------------------------------------------------

    def _about(
        self, model: Any, row: Array, target: Any, units: Units, names: Sequence[str], k: int, seed: int
    ) -> Question:
        """The question about one row, from its neighbours; each row has a cloud of its own, whatever the batch."""
        rng = generator(seed, "neighbourhood", row)
        scaled = units.scaled(row)
        points = self.neighbourhood.draw(scaled, units.types, rng)
        probability = class_one(model, np.concatenate([row[None], units.raw(points)]), target, self.name)
        places = chosen(probability[1:], self.shots, self.sampler or "most_confident", self.order, rng)  # type: ignore[arg-type]
        if places is None:
            return Question(None)
        own, shown = probability[0], probability[1:][places]
        if self.rescale and shown.max() > shown.min():
            low, high = shown.min(), shown.max()
            own, shown = (own - low) / (high - low), (shown - low) / (high - low)
        if not self.soft:
            own, shown = float(own >= 0.5), (shown >= 0.5).astype(float)
        shots = prompts.shots_of(points[places], shown, scaled, own, names, self.format, self.soft)
        prompt = prompts.prompt_of(
            self.strategy, self.format, shots, names, k, context=self.context, reasoning=self.reasoning
        )
        return Question(prompt, int(shots[-1][1]) if self.strategy == "prediction" else None)

    def _with_examples(
        self, model: Any, inputs: Array, targets: Targets, units: Units, names: Sequence[str], k: int, seed: int
    ) -> list[Question]:
        """Questions about rows that follow other rows with their explanations; a row is never its own example."""
        from explicate.attribution.lime_tabular import LIME

        pool = getattr(model, "background", None) if self.examples is None else model.encode(self.examples)
        if pool is None:
            raise InputError(f"in-context: {model.name!r} has no typical rows to show; give examples=")
        if len(np.unique(targets, axis=0)) > 1 and (targets.ndim == 2 or model.output_count > 2):
            raise InputError("in-context: the examples explain one target; give the same for all rows")
        sides = class_one(model, np.concatenate([pool, inputs]), targets[0], self.name) >= 0.5
        target: Target = Contrast(*map(int, targets[0])) if targets.ndim == 2 else int(targets[0])
        picked = []
        for row in inputs:
            rng = generator(seed, "examples", row)
            others = np.flatnonzero((pool != row).any(axis=1))
            if len(others) < self.shots:
                raise InputError(f"in-context: {len(others)} rows to show, {self.shots} are needed; give more examples")
            if self.sampler == "balanced":
                balanced = chosen(sides[others].astype(float), self.shots, "random", self.order, rng)
                if balanced is None:
                    raise InputError("in-context: the examples are all of one class; give others, or sampler='random'")
                picked.append(others[balanced])
            else:
                picked.append(rng.permutation(others)[: self.shots])
        rows, back = np.unique(np.concatenate(picked), return_inverse=True)
        explained = (self.explainer or LIME()).explain(model, pool[rows], target=target, seed=seed % 2**31)
        order = np.argsort(-np.abs(explained.values), axis=1, kind="stable")
        rankings = [", ".join(names[j] for j in own) for own in order]
        questions = []
        for i, (row, places) in enumerate(zip(inputs, back.reshape(len(inputs), -1), strict=True)):
            shots = [
                (
                    prompts.values_line(units.scaled(pool[rows[place]]), names),
                    str(int(sides[rows[place]])),
                    rankings[place],
                )
                for place in places
            ]
            instance = (prompts.values_line(units.scaled(row), names), str(int(sides[len(pool) + i])))
            questions.append(
                Question(
                    prompts.explanation_prompt(
                        shots, instance, names, k, context=self.context, reasoning=self.reasoning
                    )
                )
            )
        return questions

    def _predictions(self, questions: Sequence[Question], answers: Sequence[Answer[Any]]) -> dict[str, Any]:
        allowed = (-1, 0, 1) if self.format == "delta" else (0, 1)
        hidden = np.array([NO_OUTPUT if one.hidden is None else one.hidden for one in questions])
        predicted = np.full(len(questions), NO_OUTPUT)
        replies = iter(answers)
        for i, one in enumerate(questions):
            if one.prompt is not None:
                found = parse_integer(next(replies).replies[-1].text, allowed)
                predicted[i] = NO_OUTPUT if found is None else found
        return {"predicted_output": (("sample",), predicted), "hidden_output": (("sample",), hidden)}


@dataclass(frozen=True)
class Units:
    """How columns are measured in a prompt.

    Attributes
    ----------
    low, span : (feature,), of the model's units.
    types : "c" or "d" for each column.
    """

    low: Floats
    span: Floats
    types: tuple[str, ...]

    @classmethod
    def of(cls, method: InContextExplainer, model: Any, inputs: Array) -> Units:
        """As the method's fields say."""
        count = inputs.shape[1]
        low, span = np.zeros(count), np.ones(count)
        rows = getattr(model, "background", None)
        if method.scale == "background" and rows is not None:
            low, high = np.min(rows, axis=0), np.max(rows, axis=0)
            span = np.where(high > low, high - low, 1.0)
        types = list(method.feature_types or ("c",) * count)
        for j, feature in enumerate(getattr(model, "features", ())):
            if feature.kind != "categorical":
                continue
            if len(feature.categories) > 2:
                raise InputError(
                    f"in-context: column {feature.name!r} has {len(feature.categories)} categories without an order; "
                    "make a 0/1 column of each, which the prompt can show"
                )
            types[j : j + 1], low[j], span[j] = ["d"], 0.0, 1.0
        found = cls(low, span, tuple(types))
        check_types((inputs - low) / span, found.types)
        return found

    def scaled(self, rows: Array) -> Floats:
        """Rows in the prompt's units."""
        return np.asarray((rows - self.low) / self.span)

    def raw(self, rows: Array) -> Floats:
        """Rows in the model's units."""
        return np.asarray(rows * self.span + self.low)


def one_of(what: str, given: Any, known: Sequence[Any]) -> None:
    """Refuse a word that is not among those known."""
    if given not in known:
        raise InputError(f"in-context: {what} {given!r} is unknown; use one of {', '.join(map(repr, known))}")


def ranked(
    count: int,
    k: int,
    asked: Sequence[bool],
    answers: Sequence[Answer[tuple[int, ...]]],
    extra: dict[str, Any],
    flags: dict[str, Any],
) -> Found:
    """Rankings as an attribution (sample, feature): the first of `count` features gets `count`, the next one less.

    Parameters
    ----------
    asked : which samples have an answer; the others are unsolvable.
    """
    values = np.zeros((len(asked), count))
    ranking = np.full((len(asked), k), -1)
    status, steps = [], []
    replies = iter(answers)
    for i, there in enumerate(asked):
        own: list[Step] = []
        if not there:
            status.append(UNSOLVABLE)
        else:
            answer = next(replies)
            own = steps_of("rank", answer)
            status.append(BAD_REPLY if answer.value is None else OK)
            if answer.value is not None:
                ranking[i] = answer.value
                values[i, list(answer.value)] = count - np.arange(k)
        steps.append(own)
    counts = {f"count_{name}": status.count(name) for name in (OK, BAD_REPLY, UNSOLVABLE)}
    variables = {
        "ranking": (("sample", "rank"), ranking),
        "status": (("sample",), np.array(status, dtype=object)),
        "instance": (("sample",), np.arange(len(asked))),
        **trace(steps),
        **extra,
    }
    return Found(values, extra=variables, flags={**counts, **flags})


def solved(explanation: Any) -> Any:
    """The samples that have a ranking; `instance` still says which of all they are, so that scores find their inputs.

    Raises
    ------
    InputError : none has one.
    """
    places = np.flatnonzero(explanation["status"].values == OK)
    if not len(places):
        raise InputError("no reply was a ranking; see the explanation's `status` and `step_reply`")
    return explanation.isel(sample=places)
