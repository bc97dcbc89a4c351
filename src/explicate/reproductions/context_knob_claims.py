"""The context knob's records as claims; a bar must hold for every seed, so the worst one counts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.reproductions.figures import listed
from explicate.runtime.statistics import wilson_interval

_listed = partial(listed, digits=2)

Records = Sequence[dict[str, Any]]
PAPERS_LAYERS = {
    "prior": "15-21, 24 of 32",
    "context": "15-25, 30 of 32",
    "context to prior": "13-15 of 32",
    "prior to context": "12-16 of 32",
}
IGNORES = 0.0  # pair accuracy of a model that goes by the context always, or never
MOVED = 0.7


def task_claims(records: Records) -> list[Claim]:
    """Part (a): the task."""
    tuned = _of(records, "tuned", "pair_accuracy")
    base = _of(records, "base", "pair_accuracy")
    return [
        Claim(
            "A model learns from some entities to answer by the intent, and does so for others",
            f"pair accuracy on held-out entities, the lowest of {len(records)} decoders",
            claimed="accuracy 0.85 to 0.95 (models of 7 to 9 billion parameters)",
            measured=min(tuned),
            interval=_interval(min(tuned), records[int(np.argmin(tuned))]["tuned"]["questions"]),
            baseline=IGNORES,
            chance=IGNORES,
            bar=">= 0.85",
            met=min(tuned) >= 0.85,
            note=f"all: {_listed(tuned)}; baseline: always the context (its accuracy is 0.5); with both intents "
            f"{_all(records, 'tuned', 'accuracy overall')} of single answers are right; "
            f"facts known by heart: {_all(records, 'tuned', 'known_share')}",
        ),
        Claim(
            "Before that it ignores the intent",
            f"pair accuracy of the base model with intents, the highest of {len(records)} decoders",
            measured=max(base),
            baseline=IGNORES,
            chance=IGNORES,
            bar="<= 0.10",
            met=max(base) <= 0.10,
            note=f"it answers from the context in {_all(records, 'base', 'accuracy context')}, and knows "
            f"{_all(records, 'base', 'known_share')} of the facts",
        ),
    ]


def layer_claims(records: Records) -> list[Claim]:
    """Part (a): the layers of each role."""
    found = []
    for role, papers in PAPERS_LAYERS.items():
        each = [record["layers"][role] for record in records]
        moved = [one["alone"] - one["untouched"] for one in each]
        rest = [one["without"] - one["untouched"] for one in each]
        contiguous = all(_contiguous(one["layers"]) for one in each)
        sets = "; ".join(_named(one["layers"]) for one in each)
        found.append(
            Claim(
                f"Layer search finds the layers for: {role}",
                "probability of the source's answer that patching the set alone adds, the lowest of "
                f"{len(records)} decoders",
                claimed=papers,
                measured=min(moved),
                baseline=max(rest),
                chance=0.0,
                bar=">= 0.70, in contiguous layers, and all other layers together less",
                met=bool(contiguous and min(moved) >= MOVED > max(rest)),
                note=f"layers {sets} of {records[0]['layer_count']}; moved {_listed(moved)}; baseline: all other "
                f"layers patched, {_listed(rest)}; sets tried: {', '.join(str(int(one['steps'])) for one in each)}; "
                f"thresholds are shares of what is read unpatched: {_listed([one['ceiling'] for one in each])}",
            )
        )
    return found


def knob_claims(records: Records) -> list[Claim]:
    """Part (a): the coordinate."""
    turned = _of(records, "turned", "pair_accuracy")
    random = [float(np.mean(record["random"])) for record in records]
    plain = _of(records, "mean difference")
    areas = _of(records, "separation", "auroc")
    silent = _of(records, "silent", "pair_accuracy")
    whole = [record["whole state"][str(record["knob"]["layer"])] for record in records]
    ranks = "; ".join(f"{_all(records, 'subspace', rank)} (rank {rank})" for rank in records[0]["subspace"])
    return [
        Claim(
            "One coordinate takes the place of the intent",
            f"pair accuracy without intent, the knob set to either value, the lowest of {len(records)} decoders",
            claimed="yes",
            measured=min(turned),
            interval=_interval(min(turned), records[int(np.argmin(turned))]["turned"]["questions"]),
            baseline=max(plain),
            chance=max(silent),
            bar=">= 0.75",
            met=min(turned) >= 0.75,
            note=f"all: {_listed(turned)}; {_knobs(records)}; baseline: mean difference of the intents at the same "
            f"layer, its values chosen alike, {_listed(plain)}; chance: nothing set; upper bound: prior answers with "
            f"the whole state after that layer taken from a prompt that says prior, {_listed(whole)}; with intents, "
            f"coordinates of a trained subspace exchanged give the prior answer in {ranks}",
        ),
        Claim(
            "A random direction does not",
            f"pair accuracy with the same values along random unit directions, mean of {len(records[0]['random'])}, "
            f"the highest of {len(records)} decoders",
            measured=max(random),
            chance=max(silent),
            bar="<= 0.10",
            met=max(random) <= 0.10,
            note=f"all: {_listed(random)}",
        ),
        Claim(
            "The coordinate tells the intents apart",
            f"AUROC of u.h on held-out prompts, the lowest of {len(records)} decoders",
            measured=min(areas),
            chance=0.5,
            bar=">= 0.95",
            met=min(areas) >= 0.95,
            note=f"all: {_listed(areas)}",
        ),
    ]


def correlation_claims(records: Records) -> list[Claim]:
    """Part (c): separation and pair accuracy over checkpoints."""
    found = []
    names = {"auroc": "AUROC", "distance": "distance of the means in pooled standard deviations"}
    for measure, words in names.items():
        each = []
        for record in records:
            points = record["checkpoints"]
            pair = [[point[name] for point in points] for name in (measure, "pair_accuracy")]
            each.append(float(np.corrcoef(pair)[0, 1]) if np.ptp(pair, axis=1).all() else 0.0)
        counted = len(records[0]["checkpoints"])
        curve = "; ".join(f"{p['step']}: {p[measure]:.2f}, {p['pair_accuracy']:.2f}" for p in records[0]["checkpoints"])
        found.append(
            Claim(
                f"Models that separate the intents along u follow them ({measure})",
                f"Pearson correlation of separation ({words}) and pair accuracy over {counted} checkpoints, the lowest "
                f"of {len(records)} decoders",
                claimed="strong",
                measured=min(each),
                chance=0.0,
                bar=">= 0.70",
                met=min(each) >= 0.7,
                note=f"all: {_listed(each)}; the first decoder, step: separation, pair accuracy: {curve}",
            )
        )
    return found


def tuned_claims(copy: dict[str, Any], knobs: Records) -> list[Claim]:
    """Part (b): SmolLM2 after tuning."""
    said = copy["tuned"]["pair_accuracy"]
    turned = _of(knobs, "turned", "pair_accuracy")
    shares = [value / said if said else 0.0 for value in turned]
    plain = _of(knobs, "mean difference")
    random = [float(np.mean(values)) for values in _of(knobs, "random")]
    relations = copy["relations"]
    told = ", ".join(f"{name} {each['pair_accuracy']:.2f}" for name, each in relations.items())
    unsaid = ", ".join(f"{name} {_all(knobs, 'relations', name)}" for name in relations)
    return [
        Claim(
            "SmolLM2 learns to answer by the intent",
            "pair accuracy on countries not tuned on, one tuned copy",
            claimed="accuracy 0.85 to 0.95 (models of 7 to 9 billion parameters)",
            measured=said,
            interval=_interval(said, copy["tuned"]["questions"]),
            baseline=IGNORES,
            chance=IGNORES,
            bar=">= 0.60",
            met=said >= 0.60,
            note=f"of single answers {copy['tuned']['accuracy overall']:.2f} are right; intents as a weight, never "
            f"tuned on: {copy['float']['pair_accuracy']:.2f}; relations never tuned on: {told}; part (b)'s seeds are "
            "those of the knobs: tuning takes most of the time and was done once",
        ),
        Claim(
            "One coordinate takes the place of the intent in SmolLM2",
            f"pair accuracy of the knob without intent as a share of that with intents, lowest of {len(knobs)} knobs",
            measured=min(shares),
            baseline=max(plain) / said if said else 0.0,
            chance=max(random) / said if said else 0.0,
            bar=">= 0.70",
            met=min(shares) >= 0.7,
            note=f"pair accuracy with the knob {_listed(turned)}, nothing set {copy['silent']['pair_accuracy']:.2f}; "
            f"{_knobs(knobs)}; AUROC of the coordinate {_all(knobs, 'auroc')}; baseline: mean difference, "
            f"{_listed(plain)}; chance: random directions, {_listed(random)}; relations never tuned on: {unsaid}",
        ),
        *(
            Claim(
                f"For information: SmolLM2's layers for: {role}",
                "probability of the source's answer that patching the set alone adds",
                claimed=papers,
                measured=copy["layers"][role]["alone"] - copy["layers"][role]["untouched"],
                baseline=copy["layers"][role]["without"] - copy["layers"][role]["untouched"],
                chance=0.0,
                note=f"layers {_named(copy['layers'][role]['layers'])} of 30; baseline: all other layers patched; "
                f"{copy['layers'][role]['pairs']} pairs; threshold: 0.88 of the {copy['layers'][role]['ceiling']:.2f} "
                "that is read unpatched",
            )
            for role, papers in PAPERS_LAYERS.items()
        ),
    ]


def transfer_claims(untuned: dict[str, Any], knobs: Records) -> list[Claim]:
    """Part (b): the same knobs in the model that was never tuned."""
    before = untuned["silent"]["pair_accuracy"]
    after = _of(knobs, "untuned", "turned", "pair_accuracy")
    random = [float(np.mean(values)) for values in _of(knobs, "untuned", "random")]
    worst = int(np.argmin(after))
    return [
        Claim(
            "The same coordinate works in SmolLM2 as it was before tuning",
            f"pair accuracy with the knob less without, no word about intents, the lowest of {len(knobs)} knobs",
            claimed="yes",
            measured=after[worst] - before,
            interval=_interval(after[worst], knobs[worst]["untuned"]["turned"]["questions"]),
            baseline=max(_of(knobs, "untuned", "mean difference")),
            chance=0.0,
            bar=">= 0.15",
            met=after[worst] - before >= 0.15,
            note=f"pair accuracy with the knob {_listed(after)}, without {before:.2f}; prior answers with the knob at "
            f"prior {_all(knobs, 'untuned', 'turned', 'accuracy prior')}, context answers with it at context "
            f"{_all(knobs, 'untuned', 'turned', 'accuracy context')}; AUROC of the coordinate there "
            f"{_all(knobs, 'untuned', 'auroc')}; the interval is that of the pair accuracy; baseline: mean difference "
            "of the tuned copy",
        ),
        Claim(
            "and a random direction does not",
            f"pair accuracy with the same values along random unit directions, mean of {len(knobs[0]['random'])}, "
            "the highest",
            measured=max(random),
            chance=0.0,
            bar="<= 0.03",
            met=max(random) <= 0.03,
            note=f"all: {_listed(random)}",
        ),
    ]


def untuned_claims(record: dict[str, Any]) -> list[Claim]:
    """Part (b): what SmolLM2 does without any of this."""
    said, silent = record["said"], record["silent"]
    return [
        Claim(
            "For information: SmolLM2 as it is goes by the context whatever it is told",
            "pair accuracy with both intents, on capitals that it knows",
            measured=said["pair_accuracy"],
            interval=_interval(said["pair_accuracy"], said["questions"]),
            chance=IGNORES,
            note=f"context answers: without intent {silent['accuracy context']:.2f}, told the context "
            f"{said['accuracy context']:.2f}; prior answers when told so {said['accuracy prior']:.2f}",
        )
    ]


def _knobs(records: Records) -> str:
    """Where the knobs are, with their values in deviations of the natural coordinate."""
    return "; ".join(
        f"layer {k['layer']}, values {k['prior']:.3g} and {k['context']:.3g} "
        f"({k['prior in deviations']:+.1f} and {k['context in deviations']:+.1f} deviations)"
        for k in (record["knob"] for record in records)
    )


def _contiguous(layers: Sequence[int]) -> bool:
    return list(layers) == list(range(layers[0], layers[-1] + 1))


def _named(layers: Sequence[int]) -> str:
    """Runs of layers: "3-5, 9"."""
    starts = [layer for layer in layers if layer - 1 not in layers]
    ends = [layer for layer in layers if layer + 1 not in layers]
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in zip(starts, ends, strict=True))


def _interval(share: float, count: int) -> tuple[float, float]:
    found = wilson_interval(round(share * count), count)
    return found.low, found.high


def _of(records: Records, *path: str) -> list[Any]:
    """One entry of each record, however deep."""
    found: list[Any] = list(records)
    for name in path:
        found = [entry[name] for entry in found]
    return found


def _all(records: Records, *path: str) -> str:
    return _listed(_of(records, *path))
