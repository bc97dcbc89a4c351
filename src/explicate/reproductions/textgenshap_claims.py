"""TextGenSHAP's figures as claims."""

from __future__ import annotations

from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.runtime.statistics import wilson_interval

Records = list[dict[str, Any]]


def exactness_claims(found: Records) -> list[Claim]:
    """Sampled values against all coalitions, and their sums."""
    within, sums = min(one["within"] for one in found), max(one["sums"] for one in found)
    note = f"largest error {max(one['largest'] for one in found):.2f} standard errors, of {found[0]['values']} values"
    return [
        Claim("Sampled values are those of all coalitions", "share of all values within 3 standard errors, least",
              None, within, bar=">= 1", met=within >= 1, note=f"{note}; about 1 in 370 lies outside by chance"),
        Claim("Every permutation adds up", "largest |sum of gains - (everything - nothing)|", None, sums,
              bar="<= 1e-12", met=sums <= 1e-12),
    ]  # fmt: skip


def fusion_claims(found: Records) -> list[Claim]:
    """The small reader, and encoding once."""
    accuracy = float(np.mean([one["accuracy"] for one in found]))
    equal, gain = min(one["equal"] for one in found), float(np.median([one["gain"] for one in found]))
    size = f"{found[0]['parameters']:,} parameters, {max(one['seconds'] for one in found):.0f} s to train or load"
    return [
        Claim("A small fusion-in-decoder model answers", "exact match, 10 passages", None, accuracy, chance=0.1,
              bar=">= 0.90", met=accuracy >= 0.9, note=size),
        Claim("Encoding once changes nothing", "share of masks with the same answer, least", None, equal,
              bar=">= 1", met=equal >= 1),
        Claim("and is faster", "processor seconds of encoding anew / of encoding once, median", None, gain,
              bar=">= 3", met=gain >= 3),
    ]  # fmt: skip


def speculation_claims(found: Records) -> list[Claim]:
    """The tree on SmolLM2."""
    equal = min(min(one["equal"]) for one in found)
    accepted = float(np.mean(_all(found, "accepted")))
    passes, plain = float(np.mean(_all(found, "passes"))), float(np.mean(_all(found, "plain passes")))
    seconds = np.sum(_all(found, "seconds"), axis=0)
    blocks = [one for each in found for one in each["blocks"]]
    claims = [
        Claim("Speculation changes no output", "share of masks with the same output, least", None, equal, bar=">= 1",
              met=equal >= 1),
        Claim("Most outputs are foreseen", "share after the first 50 evaluations", None, accepted, bar=">= 0.60",
              met=accepted >= 0.6),
        Claim("and need fewer passes", "passes / those of greedy decoding", None, passes / plain, bar="<= 0.50",
              met=passes / plain <= 0.5, note=f"processor seconds of greedy / with the tree: "
              f"{seconds[1] / max(seconds[0], 1e-9):.2f}"),
    ]  # fmt: skip
    for one in blocks[:1]:
        note = (
            f"mean difference of the answer's log-probability {np.mean([b['mean_difference'] for b in blocks]):.2f}; "
        )
        note += (
            f"outputs equal in {np.mean([b['equal_outputs'] for b in blocks]):.2f} of {one['coalitions']} coalitions"
        )
        rank = float(np.mean([b["rank_correlation"] for b in blocks]))
        claims.append(Claim("Blocks of documents are another game", "Spearman of documents' values, blocks and full",
                            None, rank, note=note))  # fmt: skip
    return claims


def localisation_claims(found: Records, smollm2: Records) -> list[Claim]:
    """Gold documents and answers' words."""
    documents, alone, words = (_all(found, name) for name in ("documents", "alone", "words"))
    right = f"{sum(one['right'] for one in found)} of {sum(one['asked'] for one in found)} questions answered rightly"
    top = [hit for one in smollm2 for hit, fine in zip(one["top"], one["right"], strict=True) if fine]
    large = f"SmolLM2: {sum(top)} of {len(top)} that it answers rightly"
    return [
        _share("The document with the answer is the first", "gold document is top-1", documents, 0.8, 0.1,
               float(np.mean(alone)) if alone else None, f"{right}; baseline: leave one out; {large}"),
        _share("and its word among the first three", "answer's word in the top 3 of the opened phrases", words, 0.6,
               None, None, right),
    ]  # fmt: skip


def reranking_claims(found: Records) -> list[Claim]:
    """Recall and answers after re-ranking."""

    def mean(name: str, what: str) -> float:
        return float(np.mean([one[name][what] for one in found]))

    gain = 100 * (mean("value", "area") - mean("retriever", "area"))
    drop = mean("value", "match") - mean("retriever", "match")
    areas = ", ".join(f"{name} {mean(name, 'area'):.3f}" for name in ("retriever", "value", "influence", "random"))
    matches = ", ".join(f"{name} {mean(name, 'match'):.3f}" for name in ("retriever", "value", "influence", "random"))
    return [
        Claim("Re-ranking improves recall", "area under recall@1-10, points over the retriever", None, gain,
              baseline=100 * (mean("random", "area") - mean("retriever", "area")), bar=">= 5", met=gain >= 5,
              note=areas),
        Claim("and answers from the best three do not get worse", "exact match with the top 3, less the retriever's",
              None, drop, bar=">= 0", met=drop >= 0,
              note=f"{matches}; all passages {np.mean([one['all'] for one in found]):.3f}"),
    ]  # fmt: skip


def hierarchy_claims(found: Records) -> list[Claim]:
    """Calls saved by opening only what matters."""
    calls = np.concatenate([np.array(one["calls"], dtype=float) for one in found])
    share = float(calls[:, 0].sum() / calls[:, 1].sum())
    ranks = _all(found, "correlations")
    rank = float(np.mean(ranks)) if ranks else None
    return [
        Claim("The hierarchy saves calls", "calls / those of flat permutations of words", None, share, bar="<= 0.20",
              met=share <= 0.2),
        Claim("and ranks documents alike", "Spearman of documents' values, mean", None, rank, chance=0.0, bar=">= 0.80",
              met=rank is not None and rank >= 0.8, note="" if ranks else "the reader answers everything alike"),
    ]  # fmt: skip


def _share(
    claim: str, metric: str, hits: list[Any], bar: float, chance: float | None, baseline: float | None, note: str
) -> Claim:
    if not hits:
        return Claim(claim, metric, bar=f">= {bar:.2f}", met=False, note=f"{note}: nothing to measure on")
    interval = wilson_interval(sum(map(bool, hits)), len(hits))
    return Claim(claim, metric, None, interval.value, (interval.low, interval.high), baseline, chance,
                 f">= {bar:.2f}", interval.value >= bar, note)  # fmt: skip


def _all(found: Records, name: str) -> list[Any]:
    return [value for one in found for value in one[name]]
