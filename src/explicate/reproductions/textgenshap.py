"""TextGenSHAP (arXiv 2312.01279): exact on scripted games, fast on SmolLM2, and useful to a reader of many passages.

The reader is a small fusion-in-decoder model, trained here on invented codes; its retriever is MiniLM.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from explicate.attribution.shapley import all_coalitions
from explicate.attribution.textgenshap import Coalitions, DocumentPrompt, DocumentTree, TextGenSHAP
from explicate.attribution.textgenshap.document_tree import ROOT
from explicate.attribution.textgenshap.passages import PassageReader
from explicate.attribution.textgenshap.sampling import permuted, play
from explicate.attribution.textgenshap.values import estimated, exact
from explicate.core.capabilities import Floats, Masks
from explicate.data.language.documents import DocumentQuestion, document_questions
from explicate.evaluation.agreement import rank_correlation
from explicate.evaluation.generated_answers import area_under_recall, block_agreement, distilled, equal_answers
from explicate.models import zoo
from explicate.models.language import FusionInDecoder
from explicate.models.tiny.fusion import FusionRecipe, train_fusion
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.textgenshap_claims import (
    exactness_claims,
    fusion_claims,
    hierarchy_claims,
    localisation_claims,
    reranking_claims,
    speculation_claims,
)
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

SIZES: dict[str, dict[str, Any]] = {
    "full": {"players": 8, "draws": 2000, "questions": 40, "masks": 500, "permutations": 20, "positions": 10,
             "retrieved": 20, "rivals": 6, "explained": 30},
    "smoke": {"players": 6, "draws": 300, "questions": 3, "masks": 40, "permutations": 3, "positions": 3,
              "retrieved": 6, "rivals": 2, "explained": 2},
}  # fmt: skip
RECIPES = {
    "full": FusionRecipe(rivals=1),
    "smoke": FusionRecipe(width=32, heads=2, mlp_width=64, encoder_layers=1, decoder_layers=1, steps=20, documents=3),
}
STOP = ("\n", ".")
WARM = 50  # evaluations after which the tree is judged


def reproduce(context: Context) -> Sequence[Claim]:
    """The page's six bars."""
    parts = ("exact", "fusion", "localisation", "reranking", "hierarchy", "speculation")
    units = [{"part": part, "seed": seed} for part in parts for seed in context.seeds]
    sizes = {**SIZES[context.scale], "recipe": dataclasses.asdict(RECIPES[context.scale])}
    found = by_part(measured(context, "textgenshap", _work, units, sizes))
    return [
        *exactness_claims(found["exact"]),
        *fusion_claims(found["fusion"]),
        *speculation_claims(found["speculation"]),
        *localisation_claims(found["localisation"], found["speculation"]),
        *reranking_claims(found["reranking"]),
        *hierarchy_claims(found["hierarchy"]),
    ]


# -- units ---------------------------------------------------------------------------------------------------------


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {
        "exact": _exact,
        "fusion": _fusion,
        "localisation": _localisation,
        "reranking": _reranking,
        "hierarchy": _hierarchy,
        "speculation": _speculation,
    }
    return parts[unit["part"]](unit["scale"], unit["seed"])


class _Script:
    """A random function of the coalition: the first of some random sets that is inside it names the output."""

    def __init__(self, players: int, seed: int) -> None:
        rng = generator(seed, "script")
        self.sets = rng.random((6, players)) < 0.3
        self.counts: dict[str, int] = {}

    def write(self, masks: Masks) -> list[str]:
        inside: Masks = np.all(masks[:, None] | ~self.sets[None], axis=2, keepdims=True)[..., 0]
        return [str(int(row.argmax()) % 4) if row.any() else "none" for row in inside]

    def log_probabilities(self, masks: Masks, answer: str) -> Floats:
        return np.array([float(text == answer) for text in self.write(masks)])


def _exact(scale: str, seed: int) -> dict[str, Any]:
    sizes = SIZES[scale]
    question = document_questions(1, seed, sizes["players"])[0]
    tree = DocumentTree.of(_prompt(question), 1)
    game = Coalitions(_Script(sizes["players"], seed))
    game(all_coalitions(sizes["players"]))
    truth, rng = exact(game, tree, {ROOT}), generator(seed, "draws")
    found = estimated(game, tree, {ROOT}, "permutations", sizes["draws"], 0.0, 0.5, rng)
    error, limit = np.abs(found.value - truth.value), 3 * found.standard_error
    gains = play(game, [[permuted(tree, {ROOT}, rng)] for _ in range(100)]).gains(game)
    whole = game.columns(game(np.ones((1, sizes["players"]), dtype=bool)))[0]
    nobody = game.columns(game(np.zeros((1, sizes["players"]), dtype=bool)))[0]
    return {
        "within": float((error <= limit + 1e-12).mean()),
        "values": int(error.size),
        "largest": float((error / np.maximum(found.standard_error, 1e-12))[found.standard_error > 0].max(initial=0.0)),
        "sums": float(np.abs(gains.sum(axis=1) - (whole - nobody)).max()),
    }


@cache
def _reader(scale: str, seed: int) -> FusionInDecoder:
    return train_fusion(dataclasses.replace(RECIPES[scale], seed=seed))


def _prompt(question: DocumentQuestion) -> DocumentPrompt:
    return DocumentPrompt.of(question.question, question.documents)


def _answer(scale: str, seed: int, question: DocumentQuestion) -> str:
    tree = DocumentTree.of(_prompt(question), 1)
    reader = PassageReader(_reader(scale, seed), tree, 8)
    return reader.write(np.ones((1, len(tree.atoms)), dtype=bool))[0]


def _asked(
    scale: str, seed: int, part: str, count: int, documents: int = 10, rivals: int = 0
) -> list[DocumentQuestion]:
    return document_questions(count, int(generator(seed, "asked", part).integers(1 << 40)), documents, 0, rivals)


def _fusion(scale: str, seed: int) -> dict[str, Any]:
    """Accuracy on ten passages; encoding once against encoding anew."""
    sizes = SIZES[scale]
    start = time.process_time()
    model = _reader(scale, seed)
    trained = time.process_time() - start
    asked = _asked(scale, seed, "accuracy", 2 * sizes["questions"])
    right = equal_answers([_answer(scale, seed, one) for one in asked], [one.answer for one in asked])
    tree = DocumentTree.of(_prompt(asked[0]), 1)
    rng = generator(seed, "masks")
    masks = rng.random((sizes["masks"], 10)) < rng.random((sizes["masks"], 1))
    seconds, texts = [], []
    for once in (True, False):
        reader = PassageReader(model, tree, 8, encode_once=once)
        start = time.process_time()
        texts.append(reader.write(masks))
        seconds.append(time.process_time() - start)
    return {
        "accuracy": float(right.mean()),
        "parameters": sum(parameter.numel() for parameter in model.module.parameters()),
        "seconds": trained,
        "equal": float(np.mean([a == b for a, b in zip(*texts, strict=True)])),
        "gain": seconds[1] / seconds[0],
    }


def _localisation(scale: str, seed: int) -> dict[str, Any]:
    """The gold document among ten, and the answer's word in its phrase, for what the reader answers rightly."""
    sizes, model = SIZES[scale], _reader(scale, seed)
    documents, alone, words, right = [], [], [], 0
    asked = _asked(scale, seed, "localisation", sizes["explained"])
    for one in asked:
        if not equal_answers([_answer(scale, seed, one)], [one.answer])[0]:
            continue
        right += 1
        found = TextGenSHAP(draws=sizes["permutations"], max_new_tokens=8).explain(model, _prompt(one), seed=seed)
        documents.append(found.rerank()[0] == one.gold)
        alone.append(_leave_one_out(model, one) == one.gold)
        places = found.pieces(3)
        texts = [str(found["piece_text"].values[0][place]).strip() for place in places]
        order = np.argsort(-found.values_of(3), kind="stable")[:3]
        words.append(any(one.answer in texts[place] for place in order))
    return {"documents": documents, "alone": alone, "words": words, "right": right, "asked": len(asked)}


def _leave_one_out(model: FusionInDecoder, question: DocumentQuestion) -> int:
    """The first document without which the answer is another one."""
    tree = DocumentTree.of(_prompt(question), 1)
    masks = np.concatenate([np.ones((1, len(tree.atoms)), dtype=bool), ~np.eye(len(tree.atoms), dtype=bool)])
    written = PassageReader(model, tree, 8).write(masks)
    return int(np.argmax([text != written[0] for text in written[1:]]))


def _reranking(scale: str, seed: int) -> dict[str, Any]:
    """Passages that MiniLM ranks, ranked anew by their influence on the reader's answer."""
    sizes, model, encoder = SIZES[scale], _reader(scale, seed), zoo.load("minilm")
    asked = _asked(scale, seed, "reranking", sizes["explained"], sizes["retrieved"], sizes["rivals"])
    rng = generator(seed, "control")
    rankings: dict[str, list[list[int]]] = {"retriever": [], "value": [], "influence": [], "random": []}
    ordered = []
    for one in asked:
        texts = [one.question, *(f"{document.title}: {document.text}" for document in one.documents)]
        vectors = encoder.predict(encoder.encode(texts))
        order = np.argsort(-(vectors[1:] @ vectors[0]), kind="stable")
        place = dataclasses.replace(one, documents=tuple(one.documents[i] for i in order),
                                    gold=int(np.flatnonzero(order == one.gold)[0]))  # fmt: skip
        found = TextGenSHAP(draws=sizes["permutations"], levels=1, max_new_tokens=8).explain(
            model, _prompt(place), seed=seed
        )
        ordered.append(place)
        rankings["retriever"].append(list(range(len(order))))
        rankings["value"].append(found.rerank("value"))
        rankings["influence"].append(found.rerank("influence"))
        rankings["random"].append(rng.permutation(len(order)).tolist())
    holding, truths = [{one.gold} for one in ordered], [one.answer for one in ordered]
    return {
        name: {
            "area": area_under_recall(ranking, holding),
            "match": float(
                equal_answers(distilled(ordered, ranking, lambda one: _answer(scale, seed, one), 3), truths).mean()
            ),
        }
        for name, ranking in rankings.items()
    } | {"all": float(equal_answers([_answer(scale, seed, one) for one in ordered], truths).mean())}


def _hierarchy(scale: str, seed: int) -> dict[str, Any]:
    """Calls of three levels against those of flat permutations of all words, and what either says of documents."""
    sizes, model = SIZES[scale], _reader(scale, seed)
    calls, correlations = [], []
    for one in _asked(scale, seed, "hierarchy", max(1, sizes["questions"] // 10)):
        prompt = _prompt(one)
        found = TextGenSHAP(draws=sizes["permutations"], max_new_tokens=8).explain(model, prompt, seed=seed)
        tree = DocumentTree.of(prompt, 3)
        game = Coalitions(PassageReader(model, tree, 8))
        rng, answer = generator(seed, "flat"), str(found["written"].values[0])
        totals = np.zeros(len(tree.documents))
        for _ in range(sizes["permutations"]):
            order = rng.permutation(len(tree.atoms))
            masks = np.zeros((len(order) + 1, len(order)), dtype=bool)
            for step, atom in enumerate(order, 1):
                masks[step:, atom] = True
            worth = game(masks)
            gains = np.diff(game.columns(worth)[:, game.outputs.index(answer)])
            totals += tree.members[list(tree.documents)][:, order] @ gains
        calls.append([sum(cost["coalitions"] for cost in found.cost), game.asked])
        rank = float(rank_correlation(found.values_of(1)[None], totals[None], absolute=False)[0])
        correlations += [rank] if np.isfinite(rank) else []  # a reader that says one thing only ranks nothing
    return {"calls": calls, "correlations": correlations}


def _speculation(scale: str, seed: int) -> dict[str, Any]:
    """SmolLM2 on ten documents, the gold one at each place: the tree's share, passes and seconds, and the values."""
    sizes, model = SIZES[scale], zoo.load("smollm2-135m")
    method = TextGenSHAP(draws=sizes["permutations"], levels=1, max_new_tokens=8, stop=STOP)
    places, count = sizes["positions"], sizes["positions"]
    one_of = [place for place in range(places) if place % 3 == seed % 3] if scale == "full" else [seed % places]
    equal, accepted, passes, plain_passes, seconds, top, right, agreement = [], [], [], [], [], [], [], []
    for place in one_of:
        question = document_questions(1, 1000 * seed + place, count, gold=place)[0]
        prompt = DocumentPrompt.of(question.question, question.documents, answer=f"Answer: {question.lead}")
        tree = DocumentTree.of(prompt, 1)
        rng = generator(seed, "permutations", place)
        masks = np.concatenate([permuted(tree, {ROOT}, rng).masks for _ in range(sizes["permutations"])])
        masks = np.unique(masks, axis=0)
        own, took = {}, {}
        for name, variant in (("tree", method), ("plain", dataclasses.replace(method, speculation=False))):
            reader = variant.reader(model, tree)
            start = time.process_time()
            first = reader.write(masks[:WARM])
            foreseen = reader.counts.get("foreseen", 0)
            own[name] = [*first, *(reader.write(masks[WARM:]) if len(masks) > WARM else [])]
            took[name] = (time.process_time() - start, reader.counts, reader.counts.get("foreseen", 0) - foreseen)
        equal.append(float(np.mean([a == b for a, b in zip(own["tree"], own["plain"], strict=True)])))
        later = max(1, len(masks) - WARM)
        accepted.append(took["tree"][2] / later if len(masks) > WARM else took["tree"][1]["foreseen"] / len(masks))
        passes.append(took["tree"][1]["passes"] / len(masks))
        plain_passes.append(took["plain"][1]["passes"] / len(masks))
        seconds.append([took["tree"][0], took["plain"][0]])
        found = method.explain(model, prompt, seed=seed)
        right.append(bool(equal_answers([str(found["written"].values[0])], [question.answer])[0]))
        top.append(found.rerank()[0] == question.gold)
        if place == one_of[0]:
            fit = block_agreement(model, prompt, 8 if scale == "smoke" else 24, max_new_tokens=8, stop=STOP)
            agreement += [dataclasses.asdict(fit)] if np.isfinite(fit.rank_correlation) else []
    return {"equal": equal, "accepted": accepted, "passes": passes, "plain passes": plain_passes, "seconds": seconds,
            "top": top, "right": right, "blocks": agreement}  # fmt: skip
