"""TextGenSHAP on 20 documents of about 100 tokens with SmolLM2-135M: seconds over those of permutation Shapley.

The worth is the log-probability of the answer that is written from everything, so that each document has a rank. The
peer is permutation Shapley without this package's help: every coalition's prompt is read whole. Seconds are those of
the processor, for as many coalitions as either needs for a Spearman correlation of 0.95 with the long run: their number
times what one costs. The number is found on a game that is known everywhere, a fit of single documents and pairs of
them to the worths that the model gave. Games: "full" is
the model as it is, with what prompts share at the beginning read once; "blocks" lets no document see another, which is
another game, and `agreement` is the correlation of its long-run values with those of "full".

    python perf/textgenshap.py [COALITIONS]      (default: 200, of the long run)
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from explicate.attribution.shapley.sampling import draw_pairs
from explicate.attribution.textgenshap import Coalitions, DocumentPrompt, DocumentTree, TextGenSHAP
from explicate.attribution.textgenshap.document_tree import ROOT
from explicate.attribution.textgenshap.values import estimated
from explicate.data.language.documents import document_questions
from explicate.models import zoo

DOCUMENTS, FILLER, STOP, TOKENS = 20, 4, ("\n", "."), 6
TIMED = 4
RUNS, CORRELATION, RIDGE = 9, 0.95, 1e-2
DRAWS = {
    "permutations": (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96),
    "pairs": (11, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192),
}
GOAL = {"documents": 50.0, "words": 10.0}


class Fitted:
    """A reader whose worth is a fit of single documents and pairs of them to the worths of some coalitions."""

    counts: dict[str, int] = {}  # noqa: RUF012  nothing is counted

    def __init__(self, masks: np.ndarray, worth: np.ndarray) -> None:
        design = self._design(masks)
        system = design.T @ design + RIDGE * len(masks) * np.eye(design.shape[1])
        self.mean = worth.mean()
        self.weights = np.linalg.solve(system, design.T @ (worth - self.mean))

    def _design(self, masks: np.ndarray) -> np.ndarray:
        signs = np.where(masks, 0.5, -0.5)
        first, second = np.triu_indices(masks.shape[1], 1)
        return np.concatenate([signs, signs[:, first] * signs[:, second]], axis=1)

    def write(self, masks: np.ndarray) -> list[str]:
        raise NotImplementedError("a table of log-probabilities writes nothing")

    def log_probabilities(self, masks: np.ndarray, answer: str) -> np.ndarray:
        return self.mean + self._design(masks) @ self.weights


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's."""
    return float(spearmanr(first, second).statistic)


def needed(reader: Fitted, tree: DocumentTree, truth: np.ndarray, sampling: Any) -> tuple[int, float]:
    """The fewest coalitions whose median correlation reaches the bar, and that correlation."""
    count, found = 0, 0.0
    for draws in DRAWS[sampling]:
        reached, counts = [], []
        for run in range(RUNS):
            game = Coalitions(reader, "answer")
            values = estimated(game, tree, {ROOT}, sampling, draws, 0.0, 0.5, np.random.default_rng(run))
            reached.append(correlation(values.value[:, 0], truth))
            counts.append(game.asked)
        count, found = int(np.median(counts)), float(np.median(reached))
        if found >= CORRELATION:
            break
    return count, found


def seconds(call: Callable[[], Any], each: int) -> tuple[float, Any]:
    """Processor seconds that one coalition takes, and what came out; a shared machine's clock says little."""
    start = time.process_time()
    found = call()
    return (time.process_time() - start) / each, found


def report(level: str, game: str, ours: float, peer: float, **more: Any) -> None:
    """Print one measurement; the ratio is the gain."""
    row = {"work": f"attribution/textgenshap/{level}, {game}", "ours": ours, "peer": peer, "reference": None,
           "ratio": peer / ours, "goal": GOAL[level], "met": peer / ours >= GOAL[level], "runs": RUNS,
           "load": round(os.getloadavg()[0], 2), **more}  # fmt: skip
    print(json.dumps({k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()}), flush=True)


def main(coalitions: int) -> None:
    """Print all measurements."""
    model = zoo.load("smollm2-135m")
    question = document_questions(1, 0, DOCUMENTS, FILLER)[0]
    prompt = DocumentPrompt.of(question.question, question.documents, answer=f"Answer: {question.lead}")
    tree = DocumentTree.of(prompt, 1)
    method = TextGenSHAP(levels=1, masking="pad", max_new_tokens=TOKENS, stop=STOP, worth="log-probability")
    full = method.reader(model, tree)
    blocks = replace(method, attention="blocks").reader(model, tree)
    plain = replace(method, masking="slice", speculation=False, reuse=False).reader(model, tree)
    everything = np.ones((1, DOCUMENTS), dtype=bool)
    (answer,) = blocks.write(everything)
    rng = np.random.default_rng(0)
    pairs = draw_pairs(DOCUMENTS, coalitions // 2, rng).both()
    order = np.lexsort(pairs.T[::-1])[::-1]
    masks = pairs[order]
    even = np.concatenate([draw_pairs(DOCUMENTS, TIMED // 2, np.random.default_rng(1)).both()])
    print(f"answer {answer!r}, gold {question.answer}", flush=True)
    plain_each, _ = seconds(lambda: plain.log_probabilities(even, answer), len(even))
    blocks_each, worth = seconds(lambda: blocks.log_probabilities(masks, answer), len(masks))
    some = masks[::4]
    full_each, exact = seconds(lambda: full.log_probabilities(some, answer), len(some))
    tables = {"blocks": Fitted(masks, worth), "full": Fitted(some, exact)}
    truths = {
        name: table.weights[:DOCUMENTS] for name, table in tables.items()
    }  # pairs add nothing to Shapley's values
    agreement = correlation(truths["blocks"], truths["full"])
    same = correlation(worth[::4], exact)
    for game, each in (("blocks", blocks_each), ("full", full_each)):
        ours, own = needed(tables[game], tree, truths[game], "pairs")
        peer, other = needed(tables[game], tree, truths[game], "permutations")
        report("documents", game, ours * each, peer * plain_each, coalitions=[ours, peer], correlations=[own, other],
               seconds_each=[each, plain_each], agreement=agreement, coalitions_agree=same)  # fmt: skip
    words(model, prompt, question.gold, blocks_each, plain_each)


def words(model: Any, prompt: DocumentPrompt, gold: int, documents_each: float, plain_each: float) -> None:
    """One document opened to its words: permutations of the whole tree against those of all words of all documents."""
    tree = DocumentTree.of(prompt, 3)
    method = TextGenSHAP(masking="pad", attention="blocks", max_new_tokens=TOKENS, stop=STOP, worth="log-probability")
    reader = method.reader(model, tree)
    document = tree.documents[gold]
    expanded = {ROOT, document, *tree.children[document]}
    (answer,) = reader.write(np.ones((1, len(tree.atoms)), dtype=bool))
    game = Coalitions(reader, answer)
    own, _ = seconds(lambda: estimated(game, tree, expanded, "permutations", 1, 0.0, 0.5, np.random.default_rng(0)), 1)
    flat = len(tree.atoms) * plain_each
    report("words", "blocks, one document opened, a permutation", own, flat, players=[len(tree.frontier(expanded)),
           len(tree.atoms)], coalitions=game.asked)  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
