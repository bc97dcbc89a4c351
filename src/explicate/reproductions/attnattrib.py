"""AttnAttrib (arXiv 2502.08059): the circuit that answers from the context, its pointing head, and answers that follow.

On SmolLM2 with facts that the context contradicts, invented people, and useless contexts; and on an attention-only
model of pairs whose only solution is to point at the answer.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from explicate.attribution.attn_attrib import AttnAttrib, scores_of_sentences
from explicate.attribution.gradient import GradientTimesInput
from explicate.benchmarks.copy_questions import CopyQuestions
from explicate.core.capabilities import Floats
from explicate.core.sites import Site
from explicate.data.language.questions import (
    ContextQuestion,
    conflicting_questions,
    people_questions,
    probes,
)
from explicate.errors import InputError
from explicate.evaluation.attribution_qa import best_threshold, sentence_f1, top_sentence
from explicate.mechanisms.qa_circuit import (
    DirectPaths,
    ProbeSet,
    Selection,
    accuracy_without,
    copy_probes,
    indirect_paths,
    memory_probes,
    random_circuits,
    rank_heads,
    select_greedy,
    subject_probes,
)
from explicate.mechanisms.qa_circuit.following import (
    first_tokens,
    follows,
    with_contrast,
    with_scaled_heads,
    with_signal,
)
from explicate.mechanisms.qa_circuit.probe_sets import first_token
from explicate.models import zoo
from explicate.models.language import LanguageModel
from explicate.models.language.spans import Span, token_spans
from explicate.models.tiny.language import DecoderRecipe, train_decoder
from explicate.reproductions.attnattrib_claims import (
    attribution_claims,
    circuit_claims,
    cost_claims,
    following_claims,
    planted_claims,
    told_claims,
)
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

SIZES: dict[str, dict[str, Any]] = {
    "full": {"probes": 150, "controls": 5, "people": 70, "conflicts": 50, "timed": 15, "fewest": 20, "told": 8},
    "smoke": {"probes": 30, "controls": 2, "people": 6, "conflicts": 6, "timed": 2, "fewest": 4, "told": 1},
}
RECIPES = {
    "full": (CopyQuestions(), DecoderRecipe(steps=5000, batch=64, learning_rate=2e-3, weight_decay=0.0)),
    "smoke": (CopyQuestions(8, 8, 3), DecoderRecipe(steps=300, batch=32, learning_rate=3e-3, weight_decay=0.0)),
}
FACTORS = (1.5, 2.0, 3.0)
CONTRAST = 1.0


def reproduce(context: Context) -> Sequence[Claim]:
    """The page's run on SmolLM2 and its check on a model with a known solution."""
    scale, seeds = context.scale, list(context.seeds)
    parts = ("planted", "circuit", "attribution", "following")
    units = [{"part": part, "seed": seed} for part in parts for seed in seeds]
    units += [{"part": "told", "seed": seed} for seed in (seeds[:1] if context.smoke else seeds)]
    units.append({"part": "cost", "seed": seeds[0]})
    found = by_part(measured(context, "attnattrib", _work, units, SIZES[scale]))
    return [
        *circuit_claims(found["circuit"]),
        *told_claims(found["told"]),
        *attribution_claims(found["attribution"]),
        *planted_claims(found["planted"]),
        *following_claims(found["following"]),
        *cost_claims(found["cost"][0]),
    ]


# -- units ---------------------------------------------------------------------------------------------------------


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {
        "planted": _planted,
        "circuit": _circuit,
        "told": _told,
        "attribution": _attribution,
        "following": _following,
        "cost": _cost,
    }
    return parts[unit["part"]](unit["scale"], unit["seed"])


def _planted(scale: str, seed: int) -> dict[str, Any]:
    """A model of pairs: the head is chosen on some questions and judged on others."""
    task, recipe = RECIPES[scale]
    trained = train_decoder(task.decoder, task, replace(recipe, seed=seed), name="pairs")
    chosen, judged = task.questions(60, seed + 1000), task.questions(200, seed + 2000)
    texts = [[trained.decoder.decode(row) for row in ids] for ids, _ in (chosen, judged)]
    span = (0, chosen[0].shape[1] - 2)
    ranking = rank_heads(trained.model, texts[0], [span] * len(texts[0]), chosen[1])
    head = ranking.best()[0]
    test = rank_heads(trained.model, texts[1], [span] * len(texts[1]), judged[1], [head])
    answers = judged[0][np.arange(len(judged[0])), judged[1]]
    right = trained.model.predict(judged[0]).argmax(axis=1) == answers
    return {"head": str(head), "hits": float(test.hit_rate[0]), "accuracy": float(right.mean())}


@cache
def _probed(scale: str, seed: int) -> tuple[ProbeSet, ProbeSet]:
    model, sizes = zoo.load("smollm2-135m"), SIZES[scale]
    items = probes(seed)
    return (
        copy_probes(model, items[: sizes["probes"]], seed, sizes["fewest"]),
        memory_probes(model, items[: sizes["probes"]], seed, sizes["fewest"]),
    )


@cache
def _selected(scale: str, seed: int) -> tuple[DirectPaths, Selection]:
    paths = DirectPaths.of(zoo.load("smollm2-135m"), _probed(scale, seed)[0])
    return paths, select_greedy(paths)


def _circuit(scale: str, seed: int) -> dict[str, Any]:
    """Circuits of copying and of remembering, and what ablating the first does to other questions."""
    model, sizes = zoo.load("smollm2-135m"), SIZES[scale]
    copying, remembering = _probed(scale, seed)
    paths, selection = _selected(scale, seed)
    memory_paths = DirectPaths.of(model, remembering)
    memory = select_greedy(memory_paths)
    heads_alone = select_greedy(paths, candidates=[node for node in paths.nodes if node.kind == "head_out"])
    weakest = [paths.nodes[i] for i in np.argsort(np.abs(paths.each().mean(axis=1)))[: len(selection.nodes)]]
    others = probes(seed)[sizes["probes"] : 2 * sizes["probes"]]
    try:
        held_out = copy_probes(model, others, seed + 1, sizes["fewest"])
    except InputError:
        held_out = copying  # a small scale has too few others
    circuits = [list(selection.nodes), *random_circuits(model, selection.nodes, sizes["controls"], seed), weakest]
    without, plain = accuracy_without(model, circuits, held_out.clean, held_out.answers[:, 0], copying.clean)
    return {
        "retention": [copying.retention, remembering.retention],
        "asked": [copying.asked, remembering.asked],
        "algebra": float(np.abs(paths.scores(paths.nodes) - 1).max()),
        "none": float(np.abs(paths.scores([])).max()),
        "score": selection.score,
        "heads": len(selection.heads),
        "nodes": [str(node) for node in selection.nodes],
        "curve": selection.curve.tolist(),
        "score of heads alone": heads_alone.score,
        "heads alone": len(heads_alone.nodes),
        "all heads": model.layer_count * model.head_count,
        "memory score": memory.score,
        "memory heads": len(memory.heads),
        "memory nodes": len(memory.nodes),
        "overlap": selection.overlap(memory),
        "plain": plain.tolist(),
        "without": without[0].tolist(),
        "random": without[1:-1].tolist(),
        "weakest": without[-1].tolist(),
    }


def _told(scale: str, seed: int) -> dict[str, Any]:
    """Level 2: what the circuit is told when the value in the context changes, and when the subject there does."""
    model, sizes = zoo.load("smollm2-135m"), SIZES[scale]
    copying, nodes = _probed(scale, seed)[0].first(sizes["told"]), list(_selected(scale, seed)[1].nodes)
    subjects = subject_probes(model, probes(seed)[: sizes["probes"]], seed, fewest=1).first(sizes["told"])
    (others,) = random_circuits(model, nodes, 1, seed)
    asked = {"value": (copying, nodes), "subject": (subjects, nodes), "random receivers": (copying, others)}
    found = {name: indirect_paths(model, *each) for name, each in asked.items()}
    return {
        name: {
            "strongest": [[where, str(site), score] for where, site, score in paths.strongest(5)],
            "by place": [float(max(h.max(), m.max())) for h, m in zip(paths.heads, paths.mlps, strict=True)],
            "pairs": paths.pairs,
        }
        for name, paths in found.items()
    }


def _pointing(scale: str, seed: int) -> tuple[AttnAttrib, Site]:
    """AttnAttrib with the head that the probes of a seed choose."""
    model = zoo.load("smollm2-135m")
    copying = _probed(scale, seed)[0]
    heads = [Site("pattern", site.layer, site.head, (-1,)) for site in _selected(scale, seed)[1].heads]
    contexts = [(0, _context_end(model, prompt)) for prompt in copying.clean]
    ranking = rank_heads(model, copying.clean, contexts, copying.places, heads)
    head = ranking.best()[0]
    return AttnAttrib((str(Site("pattern", head.layer, head.head)),), floor=ranking.floor(head)), head


def _context_end(model: LanguageModel, prompt: str) -> int:
    context = prompt.split("\n", 1)[0]
    return token_spans(model, model.encode([prompt])[0], context, [(0, len(context))])[0][1]


def _attribution(scale: str, seed: int) -> dict[str, Any]:
    """Which sentence about invented people an answer came from: the head, all heads, and other ways to tell."""
    model = zoo.load("smollm2-135m")
    method, head = _pointing(scale, seed)
    questions = people_questions(SIZES[scale]["people"], seed)
    right = follows(model, questions, first_tokens(model, [q.prompt() for q in questions])) > 0
    kept = [question for question, good in zip(questions, right, strict=True) if good]
    if not kept:
        return {"asked": len(questions), "kept": 0}
    support = [question.support for question in kept]
    found = method.explain(model, kept)
    scores = found["sentence_score"].values
    spans = [
        token_spans(model, ids, q.context, q.sentence_spans)
        for ids, q in zip(found["inputs"].values, kept, strict=True)
    ]
    every = _all_heads(model, kept, spans)
    half = max(1, len(kept) // 2)
    gold = [{place} for place in support]
    threshold = best_threshold(scores[:half], gold[:half])
    return {
        "asked": len(questions),
        "kept": len(kept),
        "head": str(head),
        "chosen": top_sentence(scores, support).tolist(),
        "f1": sentence_f1(scores[half:], gold[half:], threshold).tolist() if half < len(kept) else [],
        "heads": [float(top_sentence(one, support).mean()) for one in every],
        "average": top_sentence(every.mean(axis=0), support).tolist(),
        "similarity": top_sentence(_similarity(kept), support).tolist(),
        "gradient": top_sentence(_gradient(model, kept, spans), support).tolist(),
        "changed": _deletion(model, kept, found["best_sentence"].values, seed),
        "supported": float(found["supported"].values.mean()),
    }


def _all_heads(model: LanguageModel, questions: Sequence[ContextQuestion], spans: Sequence[Sequence[Span]]) -> Floats:
    """Scores of the sentences by every head at the position that produces the answer: (head, question, sentence)."""
    sites = [Site("pattern", layer, None, (-1,)) for layer in range(model.layer_count)]
    found = np.zeros((model.layer_count * model.head_count, len(questions), len(spans[0])))
    for number, question in enumerate(questions):
        captured = model.capture([question.prompt()], sites)
        patterns = np.concatenate([np.asarray(captured[site])[0, :, 0] for site in sites])
        patterns[:, 0] = 0.0
        for row, pattern in enumerate(patterns):
            found[row, number] = scores_of_sentences(pattern, spans[number])
    return found / np.maximum(found.sum(axis=2, keepdims=True), 1e-12)


def _similarity(questions: Sequence[ContextQuestion]) -> Floats:
    """Cosine of each sentence's embedding with that of the question and its answer."""
    encoder = zoo.load("minilm")
    rows = []
    for question in questions:
        texts = [f"{question.question} {question.answer}", *question.sentences]
        vectors = encoder.predict(encoder.encode(texts))
        rows.append(vectors[1:] @ vectors[0])
    return np.stack(rows)


def _gradient(model: LanguageModel, questions: Sequence[ContextQuestion], spans: Sequence[Sequence[Span]]) -> Floats:
    """Largest |gradient x input| of the answer's first token inside each sentence."""
    rows = []
    for question, own in zip(questions, spans, strict=True):
        token = first_token(model, question.answer)
        found = GradientTimesInput().explain(model, [question.prompt()], target=token)
        rows.append(scores_of_sentences(np.abs(found.values[0]), own))
    return np.stack(rows)


def _deletion(
    model: LanguageModel, questions: Sequence[ContextQuestion], sentences: Any, seed: int
) -> dict[str, list[float]]:
    """Whether the answer changes when the attributed sentence is deleted, and when another one is."""
    rng = generator(seed, "deletion")
    found = {}
    for name in ("attributed", "another"):
        prompts = []
        for question, sentence in zip(questions, sentences, strict=True):
            rest = [i for i in range(len(question.sentences)) if i != int(sentence)]
            gone = int(sentence) if name == "attributed" else int(rng.choice(rest))
            kept = tuple(text for i, text in enumerate(question.sentences) if i != gone)
            prompts.append(replace(question, sentences=kept).prompt())
        found[name] = (1 - follows(model, questions, first_tokens(model, prompts))).tolist()
    return found


def _following(scale: str, seed: int) -> dict[str, Any]:
    """Answers on contexts that contradict what is known, with and without a signal."""
    model = zoo.load("smollm2-135m")
    method, _ = _pointing(scale, seed)
    circuit = _selected(scale, seed)[1].heads
    count = SIZES[scale]["conflicts"]
    chosen, judged = conflicting_questions(count, seed + 1), conflicting_questions(count, seed)
    plain = follows(model, judged, first_tokens(model, [q.prompt() for q in judged]))
    pointed = method.explain(model, judged, _answers(model, judged))["best_sentence"].values
    rng = generator(seed, "random sentences")
    anywhere = [int(rng.integers(len(q.sentences))) for q in judged]
    gains = {factor: float(with_scaled_heads(model, chosen, circuit, factor).mean()) for factor in FACTORS}
    factor = max(gains, key=lambda f: gains[f])
    others = random_circuits(model, circuit, 1, seed)[0]
    return {
        "plain": plain.tolist(),
        "signal": with_signal(model, judged, pointed.tolist()).tolist(),
        "random sentence": with_signal(model, judged, anywhere).tolist(),
        "true sentence": with_signal(model, judged, [q.support for q in judged]).tolist(),
        "pointed right": top_sentence(np.eye(len(judged[0].sentences))[pointed], [q.support for q in judged]).tolist(),
        "factor": factor,
        "scaled": with_scaled_heads(model, judged, circuit, factor).tolist(),
        "random heads": with_scaled_heads(model, judged, others, factor).tolist(),
        "contrast": with_contrast(model, judged, CONTRAST).tolist(),
    }


def _answers(model: LanguageModel, questions: Sequence[ContextQuestion]) -> list[str]:
    """What the model says first about each question."""
    tokens = first_tokens(model, [question.prompt() for question in questions])
    return [model.token_text(int(token)).strip() or "nothing" for token in tokens]


def _cost(scale: str, seed: int) -> dict[str, Any]:
    """Seconds of answers with and without attribution, turn by turn."""
    model = zoo.load("smollm2-135m")
    method, _ = _pointing(scale, seed)
    method = replace(method, max_new_tokens=16)
    plain, attributed = [], []
    for question in people_questions(SIZES[scale]["timed"], seed + 5):
        start = time.perf_counter()
        model.write([question.prompt()], max_new_tokens=16, stop=("\n",), alternatives=1)
        plain.append(time.perf_counter() - start)
        start = time.perf_counter()
        method.answer(model, [question])
        attributed.append(time.perf_counter() - start)
    return {"ratio": float(np.median(np.array(attributed) / np.array(plain))), "seconds": float(np.median(plain))}
