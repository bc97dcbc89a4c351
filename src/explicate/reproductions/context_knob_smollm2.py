"""The context knob in SmolLM2: what it is tuned on, and everything that is measured of one tuned copy."""

from __future__ import annotations

from functools import cache
from typing import Any

from explicate.benchmarks.context_sensitivity import (
    Posed,
    Posing,
    ask,
    find_layer_ranges,
    separation_of,
    train_knob,
    turn,
    untrained_knob,
)
from explicate.data.language.context_prompts import ContextPrompt, IntentFormat
from explicate.data.language.contradicting_arithmetic import arithmetic_contradictions
from explicate.data.language.contradicting_contexts import INTENTS, ContradictingContexts, check_leakage
from explicate.data.language.contradicting_countries import country_contradictions
from explicate.mechanisms.knobs import KnobTraining, random_direction
from explicate.mechanisms.knobs.training import won
from explicate.models import zoo
from explicate.models.language import LanguageModel
from explicate.reproductions.context_knob_records import facts_of, layers_record
from explicate.runtime.seeds import generator
from explicate.training.answer_tuning import AnswerTuning

SYSTEM = "Answer the query considering the provided context."
TUNING = AnswerTuning(learning_rate=1e-3)
CONTEXTS = {"training": 4, "validation": 2, "test": 2}  # of each capital
SHARES = (0.6, 0.15, 0.25)  # of the known countries
SUMS = 40  # of the training questions
TUNED_SEED = 0  # of the one copy that is tuned
FOR_LAYERS, FOR_KNOB, FOR_RELATIONS = 12, 32, 30  # questions
RELATIONS = ("language",)  # never tuned on
RANDOM = 5  # directions
FAMOUS = ("France", "Japan", "Egypt", "Greece", "Italy", "Spain")
KNOB = KnobTraining()


def posing(intent: IntentFormat) -> Posing:
    """Prompts as texts that end in a query to complete: what SmolLM2 answers from its context without any tuning."""
    return Posing(ContextPrompt(intent, completion=True, system=SYSTEM), "text")


@cache
def base() -> LanguageModel:
    """SmolLM2-135M-Instruct as it is."""
    return zoo.load("smollm2-135m")


def known(questions: ContradictingContexts, form: Posing) -> ContradictingContexts:
    """The questions whose prior answer the untuned model gives to the query alone."""
    ids = form.without_context(base(), questions)
    wanted = form.first_tokens(base(), ids, [question.prior_answer for question in questions])
    return questions.where(won(base(), ids, wanted), "unknown to the model")


@cache
def capitals(seed: int) -> dict[str, ContradictingContexts]:
    """Questions about known capitals, the countries split, and the share that is known."""
    form = posing("instruction")
    parts = known(country_contradictions(completion=True), form).split(SHARES, by="subject", seed=seed)
    found = {}
    for name, part in zip(CONTEXTS, parts, strict=True):
        subjects = [question.subject for question in part]
        questions = country_contradictions(completion=True, contexts=CONTEXTS[name], subjects=subjects, seed=seed)
        found[name] = form.distinguishable(base(), questions)
    check_leakage(found["training"], found["test"], allow_overlap=True)
    check_leakage(found["validation"], found["test"], allow_overlap=True)
    return found


def tuned(seed: int, intent: IntentFormat = "instruction") -> LanguageModel:
    """SmolLM2 tuned to follow an intent format on capitals and sums; from the cache where it was trained before."""
    form = posing(intent)
    sums = known(arithmetic_contradictions(2 * SUMS, depth=1, completion=True, seed=seed), form)
    training = capitals(seed)["training"] + ContradictingContexts(sums.questions[:SUMS])
    prompts: list[list[int]] = []
    answers: list[list[int]] = []
    for told in INTENTS:
        ids = form.ids(base(), training, told)
        prompts += [[int(i) for i in row if i >= 0] for row in ids]
        answers += form.answers(base(), ids, [question.answer(told) for question in training])
    return TUNING.fit(base(), prompts, answers, seed=seed, name=f"smollm2-135m tuned ({intent}, seed {seed})")


def untuned(scale: str) -> dict[str, Any]:
    """The model as it is, on capitals that it knows: with both intents, without a word about them, and asked alone."""
    few = country_contradictions(completion=True, subjects=FAMOUS)
    questions = capitals(TUNED_SEED)["test"] if scale == "full" else few
    return {
        "said": ask(base(), questions, posing("instruction")).to_dict(),
        "silent": ask(base(), questions, posing("none"), alone=False).to_dict(),
    }


def task_and_layers() -> dict[str, Any]:
    """The tuned copy: the task on countries and relations that it was not tuned on, and the layers of each role."""
    test, model = capitals(TUNED_SEED)["test"], tuned(TUNED_SEED)
    said = posing("instruction")
    ranges = find_layer_ranges(model, capitals(TUNED_SEED)["training"], said, most=FOR_LAYERS, seed=TUNED_SEED)
    return {
        "tuned": ask(model, test, said, alone=False).to_dict(),
        "silent": ask(model, test, posing("none"), alone=False).to_dict(),
        "float": ask(model, test, posing("float"), alone=False).to_dict(),
        "relations": {relation: _told(relation, model) for relation in RELATIONS},
        "layers": layers_record(ranges),
    }


def knob_in(layers: list[int], seed: int) -> dict[str, Any]:
    """A knob of the tuned copy, found with questions and first values drawn with `seed`, there and before tuning."""
    parts, said, silent = capitals(TUNED_SEED), posing("instruction"), posing("none")
    model, test = tuned(TUNED_SEED), parts["test"]
    training = parts["training"].sample(FOR_KNOB, seed)
    knob, by_layer = train_knob(model, training, parts["validation"], said, silent, layers, how=KNOB, seed=seed)
    unsaid = Posed.of(model, test, silent)
    rng = generator(seed, "random directions")
    others = [knob.with_direction(random_direction(model.width, rng)) for _ in range(RANDOM)]
    plain = untrained_knob(model, training, parts["validation"], said, silent, knob.layer)
    told = Posed.of(model, test, said)
    (plain_here, *random_here), (plain_before, *random_before) = (
        [each.pair_accuracy for each in turn([plain, *others], place, unsaid)] for place in (model, base())
    )
    return {
        "knob": facts_of(knob) | {"by_layer": {str(layer): value for layer, value in by_layer.items()}},
        "turned": ask(model, test, silent, knob=knob, alone=False).to_dict(),
        "mean difference": plain_here,
        "random": random_here,
        "auroc": separation_of(knob, model, told).auroc,
        "relations": {
            name: turn([knob], model, Posed.of(model, _related(name), silent))[0].pair_accuracy for name in RELATIONS
        },
        "untuned": {
            "turned": ask(base(), test, silent, knob=knob, alone=False).to_dict(),
            "mean difference": plain_before,
            "random": random_before,
            "auroc": separation_of(knob, base(), told).auroc,
        },
    }


@cache
def _related(relation: str) -> ContradictingContexts:
    """Questions about known facts of a relation that was never tuned on."""
    form = posing("instruction")
    questions = known(country_contradictions((relation,), completion=True), form)
    return form.distinguishable(base(), questions.sample(FOR_RELATIONS))


def _told(relation: str, model: LanguageModel) -> dict[str, float]:
    """Pair accuracy by first tokens with the intent said."""
    questions = _related(relation)
    right = Posed.of(model, questions, posing("instruction")).right(model)
    return {"questions": len(questions), "pair_accuracy": float(right.all(axis=0).mean())}
