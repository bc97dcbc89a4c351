"""TextGenSHAP on 20 documents of about 100 tokens with SmolLM2-135M: seconds over those of permutation Shapley.

The worth is the log-probability of the answer that is written from everything, so that each document has a rank. The
peer is permutation Shapley without this package's help: each coalition's prompt is read whole. Seconds are those of the
processor. Ours are measured from the model to the values, with all that is read only once. The peer's are extrapolated,
for they are hours: what one coalition takes, measured on a few (their sizes are those of a permutation on average),
times the coalitions of as many permutations as reach a Spearman correlation of 0.95 with the long run. That number is
found in the game itself, of which the engine plays a pool of permutations; where the pool does not reach 0.95, its size
is taken, which is too few. The long run are regressions on other coalitions than anything that is held against it;
`long_runs` is its correlation with the pool's mean.

In the game "blocks" no document sees another: it is another game than that of the model as it is ("full"), and
`agreement` is the correlation of their values on the same coalitions. The row "full" takes the numbers of coalitions
found for "blocks", with what one of "full" costs when what prompts share at the beginning is read once. `same_worth` is
the largest difference of the engines' worths from those of whole prompts, under a dense mask where there are blocks.

    python perf/textgenshap.py [documents] [words]      (default: both)
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
from explicate.attribution.textgenshap.sampling import permuted, play
from explicate.attribution.textgenshap.values import estimated
from explicate.data.language.documents import DocumentQuestion, document_questions
from explicate.models import zoo
from explicate.models.language.prefix_cache import added

DOCUMENTS, FILLER, STOP, TOKENS = 20, 4, ("\n", "."), 6
CORRELATION, RUNS = 0.95, 3
PAIRS = (32, 48, 64, 96)  # 11 are the fewest that a regression on 20 documents takes; they are far from enough
LONG, POOL = 200, 15  # pairs of the long run, permutations of the pool
TIMED, SHARED, CHECKED = 6, 24, 3  # coalitions: read whole, read by the other engine, compared with whole prompts
GOAL = {"documents": 50.0, "words": 10.0}


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's."""
    return float(spearmanr(first, second).statistic)


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of a call, and what came out; a shared machine's clock says little."""
    start = time.process_time()
    found = call()
    return time.process_time() - start, found


def note(text: str) -> None:
    """A line on how far it is."""
    print(f"{time.process_time():.0f} s: {text}", flush=True)


def report(level: str, game: str, ours: float, peer: float, reached: bool = True, **more: Any) -> None:
    """Print one measurement; the ratio is the gain, and no goal is met without the correlation."""
    row = {"work": f"attribution/textgenshap/{level}, {game}", "ours": ours, "peer": peer, "reference": None,
           "ratio": peer / ours, "goal": GOAL[level], "met": reached and peer / ours >= GOAL[level], "runs": RUNS,
           "load": round(os.getloadavg()[0], 2), **more}  # fmt: skip
    print(json.dumps({k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()}), flush=True)


def regressed(game: Coalitions, tree: DocumentTree, pairs: int, seed: int) -> np.ndarray:
    """Values of the documents by regression on some pairs of complements."""
    return estimated(game, tree, {ROOT}, "pairs", pairs, 0.0, 0.5, np.random.default_rng(seed)).value[:, 0]


def permutations_needed(gains: np.ndarray, truth: np.ndarray) -> tuple[int, float]:
    """The fewest permutations of the pool whose mean correlates well enough, in the median over draws of them."""
    rng = np.random.default_rng(0)
    for count in range(1, len(gains) + 1):
        drawn = [gains[rng.permutation(len(gains))[:count]].mean(axis=0) for _ in range(9 * RUNS)]
        found = float(np.median([correlation(one, truth) for one in drawn]))
        if found >= CORRELATION:
            break
    return count, found


def pairs_needed(game: Coalitions, tree: DocumentTree, truth: np.ndarray) -> tuple[int, float]:
    """The fewest pairs whose regression correlates well enough, in the median over runs."""
    for count in PAIRS:
        found = float(np.median([correlation(regressed(game, tree, count, run), truth) for run in range(1, RUNS + 1)]))
        note(f"{count} pairs: {found:.3f}")
        if found >= CORRELATION:
            break
    return count, found


def under_dense_mask(model: Any, layout: Any, mask: np.ndarray, answer: list[int]) -> float:
    """The answer's log-probability in one pass over the whole prompt, in which documents do not see each other."""
    import torch

    edges = [0, *sorted({place for span in layout.documents.values() for place in span}), len(layout.ids) + len(answer)]
    owner = np.repeat(np.arange(len(edges) - 1), np.diff(edges))  # 0: the instruction; the last: question and answer
    there = np.concatenate([layout.keep(mask[None])[0], np.ones(len(answer), dtype=bool)])
    last = owner[-1]
    seen = (owner[:, None] == owner[None]) | (owner[None] == 0) | (owner[:, None] == last)
    visible = np.tri(len(owner), dtype=bool) & seen & there[None] | np.eye(len(owner), dtype=bool)
    ids = torch.as_tensor(np.concatenate([layout.ids, answer]))[None]
    with torch.no_grad():
        logits = model.module(ids, attention_mask=added(torch.as_tensor(visible), model)[None, None],
                              logits_to_keep=len(answer) + 1).logits[0, :-1]  # fmt: skip
    return float(logits.log_softmax(-1)[np.arange(len(answer)), answer].sum())


def documents(model: Any, question: DocumentQuestion, prompt: DocumentPrompt) -> None:
    """Documents alone: what each adds to the answer."""
    tree = DocumentTree.of(prompt, 1)
    full = TextGenSHAP(levels=1, masking="pad", max_new_tokens=TOKENS, stop=STOP, worth="log-probability")
    blocks = replace(full, attention="blocks")
    everything = np.ones((1, DOCUMENTS), dtype=bool)
    reader = blocks.reader(model, tree)
    (answer,) = reader.write(everything)
    note(f"the answer is {answer!r}, the gold one {question.answer}")
    game = Coalitions(reader, answer)
    truth = regressed(game, tree, LONG, 0)
    note(f"long run: {game.asked} coalitions")
    rng = np.random.default_rng(0)
    pool = play(game, [[permuted(tree, {ROOT}, rng)] for _ in range(POOL)]).gains(game)[..., 0]
    note(f"pool: {game.asked} coalitions")
    permutations, theirs = permutations_needed(pool, truth)
    pairs, own = pairs_needed(game, tree, truth)

    def afresh() -> int:
        again = blocks.reader(model, tree)
        again.write(everything)
        one = Coalitions(again, answer)
        regressed(one, tree, pairs, RUNS + 1)
        return one.asked

    spent, asked = seconds(afresh)
    note(f"ours: {asked} coalitions in {spent:.1f} s")
    some = draw_pairs(DOCUMENTS, SHARED // 2, np.random.default_rng(1)).both()
    some = some[np.lexsort(some.T[::-1])[::-1]]
    whole = full.reader(model, tree)
    whole.written.update(reader.written)
    full_total, exact = seconds(lambda: whole.log_probabilities(some, answer))
    full_each = full_total / len(some)
    note(f"full: {full_each:.2f} s a coalition")
    worth = game(some)
    few = draw_pairs(DOCUMENTS, TIMED // 2, np.random.default_rng(2)).both()
    plain = replace(full, masking="slice", speculation=False, reuse=False).reader(model, tree)
    plain.written.update(reader.written)
    plain_total, _ = seconds(lambda: plain.log_probabilities(few, answer))
    plain_each = plain_total / len(few)
    note(f"whole prompts: {plain_each:.2f} s a coalition")
    tail = reader.answer_tokens(answer)
    again = replace(full, speculation=False, reuse=False).reader(model, tree)
    again.written.update(reader.written)
    unequal = [float(np.abs(again.log_probabilities(some[:CHECKED], answer) - exact[:CHECKED]).max())]
    dense = [under_dense_mask(model, reader.layout, mask, tail) for mask in some[:CHECKED]]
    unequal.append(float(np.abs(np.array(dense) - worth[:CHECKED]).max()))
    agreement = correlation(*(_fitted(some, values) for values in (worth, exact)))
    shared = {"coalitions": [asked, permutations * DOCUMENTS], "correlations": [own, theirs], "agreement": agreement,
              "long_runs": correlation(truth, pool.mean(axis=0)), "peer_extrapolated_from": TIMED}  # fmt: skip
    peer = permutations * DOCUMENTS * plain_each
    reached = own >= CORRELATION
    report("documents", "blocks", spent, peer, reached, **shared, seconds_each=[spent / asked, plain_each],
           same_worth=unequal[1])  # fmt: skip
    report("documents", "full", asked * full_each, peer, reached, **shared, seconds_each=[full_each, plain_each],
           same_worth=unequal[0], ours_extrapolated_from=SHARED)  # fmt: skip


def _fitted(masks: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Each document's weight in a ridge regression, for two games on the same coalitions."""
    signs = np.where(masks, 0.5, -0.5)
    system = signs.T @ signs + 0.01 * len(masks) * np.eye(masks.shape[1])
    found: np.ndarray = np.linalg.solve(system, signs.T @ (worth - worth.mean()))
    return found


def words(model: Any, question: DocumentQuestion, prompt: DocumentPrompt) -> None:
    """One document opened to its words: a permutation of the tree against one of all words of all documents."""
    tree = DocumentTree.of(prompt, 3)
    method = TextGenSHAP(masking="pad", max_new_tokens=TOKENS, stop=STOP, worth="log-probability")
    document = tree.documents[question.gold]
    expanded = {ROOT, document, *tree.children[document]}
    everything = np.ones((1, len(tree.atoms)), dtype=bool)

    def ours() -> tuple[Coalitions, Any]:
        reader = replace(method, attention="blocks").reader(model, tree)
        (answer,) = reader.write(everything)
        game = Coalitions(reader, answer)
        estimated(game, tree, expanded, "permutations", 1, 0.0, 0.5, np.random.default_rng(0))
        return game, reader

    spent, (game, reader) = seconds(ours)
    note(f"ours: {game.asked} coalitions in {spent:.1f} s")
    order = np.random.default_rng(0).permutation(len(tree.atoms))
    steps = np.linspace(0, len(order), TIMED, dtype=int)  # from no word to all: the mean size of a permutation's
    masks = np.stack([np.isin(np.arange(len(order)), order[:step]) for step in steps])
    plain = replace(method, masking="slice", speculation=False, reuse=False).reader(model, tree)
    plain.written.update(reader.written)
    total, _ = seconds(lambda: plain.log_probabilities(masks, str(game.answer)))
    peer = len(tree.atoms) * total / len(masks)
    report("words", "blocks, one document opened, a permutation", spent, peer,
           players=[len(tree.frontier(expanded)), len(tree.atoms)], coalitions=[game.asked, len(tree.atoms)],
           seconds_each=[spent / game.asked, total / len(masks)], peer_extrapolated_from=TIMED)  # fmt: skip


def main(parts: list[str]) -> None:
    """Print the measurements of some parts."""
    model = zoo.load("smollm2-135m")
    question = document_questions(1, 0, DOCUMENTS, FILLER)[0]
    prompt = DocumentPrompt.of(question.question, question.documents, answer=f"Answer: {question.lead}")
    for part in parts:
        {"documents": documents, "words": words}[part](model, question, prompt)


if __name__ == "__main__":
    main(sys.argv[1:] or ["documents", "words"])
