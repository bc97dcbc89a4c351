"""The claims on SR-NLE, judged from what the reproduction's units recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.runtime.statistics import wilson_interval

ENOUGH = 100  # counter items below which the direction is not judged as held


def claims(
    identity: Sequence[dict[str, Any]],
    trigger: Sequence[dict[str, Any]],
    ways: Sequence[dict[str, Any]],
    smollm2: Sequence[dict[str, Any]],
) -> list[Claim]:
    """All claims: the identity, the trigger decoder, SmolLM2, and the paper's averages."""
    return [
        _identity(identity),
        *_decoder(trigger),
        *_attributions(trigger),
        *_ways(ways),
        *_smollm2(smollm2),
        *_paper(smollm2),
    ]


def _identity(found: Sequence[dict[str, Any]]) -> Claim:
    value = min(one["equal"] for one in found)
    shown = "; ".join(
        f"{one['items']} counter items, rate {one['before']:.3f} to {one['after']:.3f}, hit@5 {one['hit5']:.3f}"
        for one in found
    )
    return Claim("After refinement, an explanation names its edit word exactly where that was fed back",
                 "share of counter items of the scripted model for which both agree, lowest seed", None, value,
                 bar="= 1", met=value == 1, note=shown)  # fmt: skip


def _decoder(found: Sequence[dict[str, Any]]) -> list[Claim]:
    accuracy = min(one["accuracy"] for one in found)
    flips = min(one["trigger_flips"] for one in found)
    neutral = max(one["neutral_flips"] for one in found)
    note = f"{found[0]['parameters']:,} weights; per seed {[round(one['accuracy'], 4) for one in found]}"
    return [
        Claim("The trigger decoder answers by its triggers", "accuracy on held-out sentences, lowest seed", None,
              accuracy, chance=0.5, bar=">= 0.99", met=accuracy >= 0.99, note=note),
        Claim("A trigger moves its answer", "share of trigger edits that flip, lowest seed", None, flips, bar=">= 0.98",
              met=flips >= 0.98),
        Claim("and a neutral modifier does not", "share of neutral edits that flip, highest seed", None, neutral,
              bar="<= 0.02", met=neutral <= 0.02),
    ]  # fmt: skip


def _attributions(found: Sequence[dict[str, Any]]) -> list[Claim]:
    claims = []
    for k, bar, place in ((1, 0.80, "first"), (5, 0.95, "among five")):
        hits = np.concatenate([one["ig"][f"hit{k}"] for one in found]).astype(float)
        chance = float(np.mean([value for one in found for value in one["chance"][f"hit{k}"]]))
        interval = wilson_interval(int(hits.sum()), len(hits))
        claims.append(
            Claim(f"Integrated gradients rank the word that moved the answer {place}",
                  f"hit@{k} over counter items of the trigger decoder", None, float(hits.mean()),
                  (interval.low, interval.high), chance=chance,
                  bar=f">= {bar:.2f}", met=float(hits.mean()) >= bar, note=f"{len(hits)} counter items")
        )  # fmt: skip
    random = np.concatenate([one["random"]["hit5"] for one in found]).astype(float)
    chances = np.array([value for one in found for value in one["chance"]["hit5"]])
    error = float(np.sqrt((chances * (1 - chances)).sum())) / len(chances)
    distance = abs(float(random.mean() - chances.mean())) / max(error, 1e-12)
    claims.append(
        Claim("Random words hit by chance", "hit@5 of random words: distance from 5 / distinct words in standard "
              "errors", None, distance, bar="<= 3", met=distance <= 3,
              note=f"hit@5 {random.mean():.3f}, chance {chances.mean():.3f}, {len(random)} items")
    )  # fmt: skip
    gaps = [gap for one in found for gap in one["gaps"]]
    worst = float(max(gaps))
    claims.append(
        Claim("Integrals are complete", "largest |sum of scores - change of the logit| / change, 500 steps", None,
              worst, bar="<= 0.02", met=worst <= 0.02, note=f"{len(gaps)} items, median {np.median(gaps):.4f}")
    )  # fmt: skip
    for kind in ("attention", "attention, all layers"):
        hits = np.concatenate([one[kind]["hit5"] for one in found]).astype(float)
        beyond = float(hits.mean() - chances.mean()) / max(float(hits.std(ddof=1)) / np.sqrt(len(hits)), 1e-12)
        first = np.concatenate([one[kind]["hit1"] for one in found]).mean()
        claims.append(
            Claim(f"{kind.capitalize()} finds the word that moved the answer",
                  "hit@5 over counter items of the trigger decoder", None, float(hits.mean()),
                  chance=float(chances.mean()), bar="" if kind != "attention" else
                  "chance + 2 s.e., to be claimed", met=None if kind != "attention" else beyond > 2,
                  note=f"hit@1 {first:.3f}; {beyond:.1f} standard errors above chance")
        )  # fmt: skip
    return claims


def _ways(found: Sequence[dict[str, Any]]) -> list[Claim]:
    """Why the published way misses the first place: a word that stands in a sentence many times collects its scores."""
    claims = []
    for name in (key for key in found[0] if key not in ("part", "seed")):
        hits, kept, the = (np.concatenate([one[name][key] for one in found]) for key in ("all", "kept", "the"))
        each = ", ".join(f"{np.mean(one[name]['kept']):.2f}" for one in found)
        claims.append(
            Claim(f"The word that moved the answer stands first among words that are no stop words, {name}",
                  "hit@1 on sentences of their own, without stop words", None, float(kept.mean()),
                  baseline=float(hits.mean()), note=f"by seed {each}; baseline: with stop words, where 'the', which is "
                  f"in a sentence four to six times and whose scores are added up, stands first in {the.mean():.0%}; "
                  f"{len(hits)} sentences")
        )  # fmt: skip
    return claims


def _smollm2(found: Sequence[dict[str, Any]]) -> list[Claim]:
    claims = []
    pooled: dict[str, list[bool]] = {}
    for one in found:
        if "missing" in one:
            claims.append(Claim(f"SmolLM2 on {one['task']}", "unfaithfulness rate", note=one["missing"]))
            continue
        claims.append(
            Claim(f"SmolLM2 on {one['task']}: edits move the answer", "counter items of all valid edits", None,
                  one["counter_rate"], note=f"{one['counter']} counter items; free-text answers read: "
                  f"{one['free_text']:.2f}")
        )  # fmt: skip
        for arm, own in one["arms"].items():
            first, last = own["rounds"][0], own["rounds"][-1]
            rounds = ", ".join("none" if each["rate"] is None else f"{each['rate']:.2f}" for each in own["rounds"])
            lengths = ", ".join("-" if each["length"] is None else f"{each['length']:.0f}" for each in own["rounds"])
            note = f"by round {rounds}; valid {[each['valid'] for each in own['rounds']]} of {one['refined']}; "
            note += f"words {lengths}; whole words {[each['rate_word'] for each in own['rounds']]}"
            if "hit5" in own:
                note += f"; hit@5 {own['hit5']:.2f} (chance {one['chance5']:.2f})"
            if own.get("gap") is not None:
                note += f"; median gap of the integral {own['gap']:.2f}"
            claims.append(
                Claim(f"SmolLM2 on {one['task']}, feedback {arm}", "unfaithfulness after the last round", None,
                      last["rate"], baseline=first["rate"], note=note)
            )  # fmt: skip
            for when, each in (("initial", first), (arm, last)):
                if when != "initial" or arm == "iw_rand":
                    pooled.setdefault(when, []).extend(named for named in each["named"] if named is not None)
    asked = [one for one in found if "missing" not in one]
    if asked and not pooled:
        claims.append(
            Claim("Attribution feedback lowers the unfaithfulness of SmolLM2", "initial rate less that with the better "
                  "attribution", 0.1879, bar=f">= 0.10 over {ENOUGH} items, and below iw_rand", met=False,
                  note="no inserted word changed the letter that it finds likeliest, so there is no item to explain")
        )  # fmt: skip
    rates = {arm: 1 - float(np.mean(named)) for arm, named in pooled.items() if named}
    attributions = [rates[arm] for arm in ("aiw_attn", "aiw_ig") if arm in rates]
    if "initial" in rates and attributions:
        count = len(pooled["initial"])
        gain = rates["initial"] - min(attributions)
        beats = min(attributions) < rates.get("iw_rand", 0.0)
        note = f"{count} counter items ({ENOUGH} are asked for; with fewer the bar is not met); rates {rates}"
        claims.append(
            Claim("Attribution feedback lowers the unfaithfulness of SmolLM2", "initial rate less that with the better "
                  "attribution", 0.1879, gain, baseline=rates["initial"] - rates.get("iw_rand", rates["initial"]),
                  bar=f">= 0.10 over {ENOUGH} items, and below iw_rand", met=gain >= 0.10 and beats and count >= ENOUGH,
                  note=f"{note}; the baseline is the gain of random words")
        )  # fmt: skip
    return claims


def _paper(found: Sequence[dict[str, Any]]) -> list[Claim]:
    before = [one["arms"]["iw_rand"]["rounds"][0]["rate"] for one in found if one.get("arms")]
    known = [rate for rate in before if rate is not None]
    return [
        Claim("Average unfaithfulness of first explanations", "rate; claimed: four models of 7 to 8 billion weights",
              0.5481, float(np.mean(known)) if known else None, note="best variant of the paper: 0.3602"),
    ]  # fmt: skip
