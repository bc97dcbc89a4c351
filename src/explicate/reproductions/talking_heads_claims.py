"""The claims of the Talking Heads reproduction, made from the records of its units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.runtime.statistics import paired_difference, wilson_interval

Records = dict[str, list[Any]]


def all_claims(records: Records, sizes: dict[str, Any]) -> list[Claim]:
    """In the order of the page: planted, trained, SmolLM2.

    Parameters
    ----------
    sizes : of the run; notes say how many points and lists steering was chosen on.
    """
    return [
        *_planted(records["planted"]),
        *_trained(records["trained"]),
        *_heads(records["named"], records["compositions"][0]),
        *_lists(records["lists"][0]),
        *_steering(records["steering"], records["random subspace"][0], sizes),
        *_edit(records["edit"]),
        _text(records["text"][0]),
    ]


def _planted(units: Sequence[Any]) -> list[Claim]:
    found, z = all(unit["found"] for unit in units), min(unit["z"] for unit in units)
    rank = max(unit["rank"] for unit in units)
    return [
        Claim(
            "A planted channel is the first of all components, by Q, K and V",
            "largest rank of the planted component",
            None,
            rank,
            baseline=min(unit["wrong rank"] for unit in units),
            chance=128.0,
            bar="= 1",
            met=found and rank == 1,
            note="of 256 components; the baseline reads the wrong matrix (K for Q, Q for K)",
        ),
        Claim(
            "and far from the others",
            "smallest z score",
            None,
            z,
            chance=0.0,
            bar="> 10",
            met=z > 10,
            note=f"{len(units)} models; an only outlier among 256 has z 16 at most",
        ),
    ]


def _trained(units: Sequence[Any]) -> list[Claim]:
    ratio = max(unit["losses"][1] / unit["losses"][0] for unit in units)
    previous, induction = min(max(unit["previous"]) for unit in units), min(max(unit["induction"]) for unit in units)
    ranks, own = ([unit[key] for unit in units] for key in ("rank of a true pair", "rank by components"))
    true = [len(unit["true"]) for unit in units]
    cost, random = min(unit["cost"] for unit in units), max(float(np.mean(unit["random cost"])) for unit in units)
    whole = [unit["rank by whole matrices"] for unit in units]
    swapped = [unit["rank with q for k"] for unit in units]
    worst = max(max(unit["random cost"]) for unit in units)
    more = ", ".join(
        f"{count}: {min(unit['cost of more'][count] for unit in units):.2f}" for count in units[0]["cost of more"]
    )
    return [
        Claim(
            "Two layers of attention learn induction",
            "loss of the second half / of the first, largest",
            None,
            ratio,
            chance=1.0,
            bar="< 0.5",
            met=ratio < 0.5,
            note=f"previous-token attention at least {previous:.2f} (asked .5), induction {induction:.2f} (asked .4)",
        ),
        Claim(
            "with a previous-token and an induction head",
            "smallest attention of the best induction head",
            None,
            induction,
            bar=">= 0.4, previous >= 0.5",
            met=induction >= 0.4 and previous >= 0.5,
        ),
        Claim(
            "The previous-token head feeds the induction head by K",
            "largest rank of the first true pair among 16 by component",
            None,
            max(ranks),
            baseline=float(np.mean(whole)),
            chance=17 / (max(true) + 1),
            bar="= 1",
            met=max(ranks) == 1,
            note=f"heads with induction attention of .4 or more: {true} of 4; rank of the pair with the one that has "
            f"most: by component {own}, by whole matrices {whole}, with Q in place of K {swapped}",
        ),
        Claim(
            "Five components carry the composition",
            "share of the loss gap lost without the top 5 of 32, smallest",
            None,
            cost,
            baseline=random,
            chance=5 / 32,
            bar=">= 0.5, random < 0.1",
            met=cost >= 0.5 and random < 0.1,
            note=f"five random others: mean {random:.3f} at most, worst of 10 draws {worst:.3f}; without the "
            f"top {more}; the components of one source are read by all four heads of the second layer",
        ),
    ]


def _heads(units: Sequence[Any], compositions: Any) -> list[Claim]:
    zero = [
        one
        for unit in units
        for one in unit["direct"]
        if one["removal"] == "zero" and one["mover"] == unit["movers"][0]
    ]
    left = [
        one
        for unit in units
        for one in unit["direct"]
        if one["removal"] == "mean" and one["mover"] == unit["movers"][0]
    ]
    spearman, p = min(one["spearman"] for one in zero), max(one["p"] for one in zero)
    others = [one["spearman"] for unit in units for one in unit["direct"] if one["removal"] == "zero"]
    first = zero[0]
    listed = ", ".join(f"{name} {value:.2f}" for name, value in units[0]["readings"].items())
    names = [[_name(place) for place in unit[key]] for key in ("movers", "inhibitors") for unit in units[:1]]
    same = sum(unit["inhibitors"][0] == units[0]["inhibitors"][0] for unit in units)
    claims = [
        Claim(
            "SmolLM2 names the indirect object",
            "top-1, lowest of the seeds",
            0.975,
            min(u["top1"] for u in units),
            note="the page's figure is of 40 prompts; so are these",
        ),
        Claim(
            "Weights foretell effects",
            "Spearman of component and inhibition score over the inhibition heads' components, smallest of the seeds",
            None,
            spearman,
            chance=0.0,
            bar=">= 0.3, p < 0.01",
            met=spearman >= 0.3 and p < 0.01,
            note=f"path patching names movers {', '.join(names[0])} and inhibitors {', '.join(names[1])} "
            f"(the same first inhibitor at {same} of {len(units)} seeds); first mover, {first['count']} components; "
            f"largest p {p:.1g}; all movers {min(others):.2f} to {max(others):.2f}; with means left "
            f"{left[0]['spearman']:.2f}; over all earlier heads {first['spearman of all heads']:.2f}; top-10 overlap "
            f"{first['overlap']:.1f}; {listed}; total instead of direct, "
            f"largest 8: {units[0]['total']['spearman']:.2f}",
        ),
        Claim(
            "One component of one head carries most of the inhibition",
            "share of the mover's A(IO) - A(S) lost without it, smallest of the seeds",
            None,
            min(one["lost"] / one["untouched"] for one in zero),
            baseline=min(unit["total"]["largest"] / unit["total"]["untouched"] for unit in units),
            chance=0.0,
            note=f"{_component(first['best'])}; its weight score ranks {first['weight rank']:.0f} of all earlier "
            f"components (z {first['z']:.1f}), its head's whole matrix {first['whole rank']} of {first['heads']}; with "
            f"its mean left {left[0]['lost'] / left[0]['untouched']:.2f}; the baseline is the total effect",
        ),
    ]
    whole = compositions["whole"]
    claims.append(
        Claim(
            "Whole matrices say little",
            "mean Q score of all head pairs",
            0.046,
            whole["mean"],
            chance=whole["null"],
            note=f"sd {whole['sd']:.3f}; the page has .046 and .008 for random pairs, and the null .042",
        )
    )
    for name, one in compositions["pairs"].items():
        claims.append(
            Claim(
                f"Composition of {name}",
                "rank of the source's best component among all earlier components",
                "stands out",
                one["rank"],
                baseline=one["whole rank"],
                chance=one["of"] / 2,
                note=f"{_name(one['source'])} to {_name(one['destination'])}, z {one['z']:.1f} of {one['of']} "
                "components; "
                f"the baseline is the rank of the whole matrix, of {one['heads']} heads",
            )
        )
    return claims


def _lists(record: Any) -> list[Claim]:
    claims = []
    lengths = {name: one for name, one in record.items() if name.isdigit()}
    for length, one in lengths.items():
        if length in ("3", "5") or len(lengths) == 1:
            value, low, high = one["restricted"]
            listed = "; ".join(f"{n}: {each['restricted'][0]:.3f}" for n, each in lengths.items())
            shares = ", ".join(f"{share:.2f}" for share in one["by target"])
            claims.append(
                Claim(
                    f"Laundry lists of {length} items",
                    "accuracy among the items",
                    {"3": 0.925, "5": 0.40}.get(length),
                    value,
                    (low, high),
                    chance=1 / int(length),
                    note=f"top-1 of all tokens {one['top1']:.3f}; by target index {shares}; by length {listed} (of the "
                    "page's lengths, 2 to 20, only these were run)",
                )
            )
    return claims


def _steering(units: Sequence[Any], searched: Any, sizes: dict[str, Any]) -> list[Claim]:
    gains = {name: _gain(units, name) for name in ("steered", "wrong index", "random subspace")}
    harder = _gain([searched], "steered")
    steered, random = gains["steered"], gains["random subspace"]
    moved = max(abs(random.value), abs(harder.value))
    before, after = (
        float(np.mean([np.mean(unit[name]["restricted"]) for unit in units])) for name in ("unedited", "steered")
    )
    each = [
        round(float(np.mean(unit["steered"]["restricted"]) - np.mean(unit["unedited"]["restricted"])), 3)
        for unit in units
    ]
    top1 = [float(np.mean([unit[name]["top1"] for unit in units])) for name in ("unedited", "steered")]
    regions = units[0]["regions"]
    counted = "; ".join(f"{n} items: {len(both[0])} picked, {len(both[1])} attended" for n, both in regions.items())
    return [
        Claim(
            "Steering by index raises laundry lists of 5",
            "gain in accuracy among the items, test lists",
            "often over 0.20",
            steered.value,
            (steered.low, steered.high),
            gains["wrong index"].value,
            0.0,
            ">= 0.10",
            steered.value >= 0.10,
            note=f"told the right index (oracle), so no free gain; coordinates from a grid of {sizes['steps of grid']} "
            f"steps an axis on {sizes['walk']} lists, the best {sizes['keep']} tried again on "
            f"{sizes['validation']}; {before:.3f} to {after:.3f}, by seed {each}; top-1 of all tokens {top1[0]:.3f} to "
            f"{top1[1]:.3f}; the baseline is told a wrong index; subspace chosen on training lists: "
            f"{', '.join(unit['subspace'] for unit in units)}, training accuracy "
            f"{', '.join(format(unit['training'], '.2f') for unit in units)}",
        ),
        Claim(
            "which random directions do not",
            "largest gain along random directions",
            None,
            moved,
            chance=0.0,
            bar="< 0.03",
            met=moved < 0.03,
            note=f"the same coordinates along random directions {random}; coordinates chosen anew for random "
            f"directions {harder}",
        ),
        Claim(
            "Regions of the subspace stand for places of the list",
            "indices with a region of their own, 5 items",
            "3-dimensional, indexes list position",
            len(regions[min(regions)][0] if "5" not in regions else regions["5"][0]),
            chance=1.0,
            note=f"by what the model names and what the movers attend to: {counted}; "
            f"{sizes['steps of grid']} steps an axis for 5 items, fewer for other lengths, where narrow regions can be "
            "missed",
        ),
    ]


def _gain(units: Sequence[Any], name: str) -> Any:
    def hits(condition: str) -> Any:
        found = [unit[condition] for unit in units]
        return np.concatenate([np.array(one["restricted"] if isinstance(one, dict) else one, float) for one in found])

    return paired_difference(hits(name), hits("unedited"))


def _edit(units: Sequence[Any]) -> list[Claim]:
    before, after = (np.concatenate([np.array(unit[name], float) for unit in units]) for name in ("unedited", "edited"))
    gain = paired_difference(after, before)
    chosen = ", ".join(f"{unit['chosen']} at seed {unit['seed']}" for unit in units)
    shares = "; ".join(f"gamma {name}: {share:.2f}" for name, share in units[0]["training"].items())
    plain, edited = units[0]["perplexity"]
    undone = all(unit["undone"] for unit in units)
    return [
        Claim(
            "One channel scaled in the weights",
            "gain in accuracy among 5 items, test lists",
            "often over 0.20",
            gain.value,
            (gain.low, gain.high),
            0.0,
            0.0,
            note=f"chosen on training lists: {chosen} ({shares}); perplexity of other text {plain:.2f} to "
            f"{edited:.2f}; a gain needs no oracle; reported whatever it is",
        ),
        Claim(
            "and undone",
            "edits after which every weight is the same, bit for bit",
            None,
            float(np.mean([unit["undone"] for unit in units])),
            bar="= 1",
            met=undone,
        ),
    ]


def _text(record: Any) -> Claim:
    repeated = record["repeated"]
    interval = wilson_interval(int(np.sum(repeated)), len(repeated))
    shown = "; ".join(text[-60:] for text in record["examples"][:4])
    return Claim(
        "In prose the channel is written to at repeats",
        "share of the 50 strongest positions whose token stood before in the text",
        None,
        interval.value,
        (interval.low, interval.high),
        chance=record["chance"],
        note=f"strongest: {shown}",
    )


def _name(place: Any) -> str:
    return f"L{place[0]}.H{place[1]}"


def _component(best: Any) -> str:
    return f"component {best[2]} of {_name(best)}"
