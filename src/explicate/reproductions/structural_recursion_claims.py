"""The claims of the structural recursion reproduction, from what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim

Records = dict[str, list[dict[str, Any]]]


def claims(found: Records, sizes: dict[str, Any]) -> list[Claim]:
    """One row for each bar; every figure is the mean over orders and seeds, the worst one is in the note."""
    return [*_successor(found, sizes), *_trees(found["tree"]), *_reconstruction(found["reconstruction"], sizes),
            *_parts(found)]  # fmt: skip


def _successor(found: Records, sizes: dict[str, Any]) -> list[Claim]:
    whole, shallow, balanced = found["all"], found["shallow"], found["balanced"]
    copies = _mean([one["floors"]["copy the input"] for one in whole])
    recursionless = _mean([one["floors"]["apply the case without recursion"] for one in whole])
    deep, most = sizes["deep"], sizes["shallow"]
    own = _mean([one["held_out_shallow"] for one in shallow])
    below, raised = _mean([one["deep"] for one in shallow]), _mean([one["deep"] for one in balanced])
    uniform = _mean([one["deep"] for one in whole])
    return [
        _at_least("near-perfect in distribution", "exact match, held-out numbers", [o["held_out"] for o in whole], 0.99,
                  baseline=recursionless, chance=0.0),
        Claim("copying the input is no successor", "exact match", measured=copies, bar="<= 0.01", met=copies <= 0.01),
        _at_least(f"trained on depths up to {most}: right on them", "exact match, held-out numbers",
                  [o["held_out_shallow"] for o in shallow], 0.98, baseline=recursionless, chance=0.0),
        _at_least(f"a short-cut: depth {deep} and more fall behind", "exact match, difference",
                  [own - o["deep"] for o in shallow], 0.4, chance=0.0),
        _at_least("sampling all depths alike repairs deep inputs", f"exact match at depth {deep} and more, rise",
                  [raised - below], 0.3, baseline=uniform - below, chance=0.0,
                  note=f"from {below:.2f} to {raised:.2f}; the baseline is the rise by all depths, sampled uniformly. "
                  "Nine tenths of these few inputs are trained on in both samplings"),
    ]  # fmt: skip


def _trees(found: list[dict[str, Any]]) -> list[Claim]:
    by_order = {one["order"]: one for one in found}
    inorder, preorder = by_order["inorder"], by_order["preorder"]
    gap = inorder["unseen"] - inorder["deeper"]
    return [
        _at_least("inorder fails one level deeper", "exact match on unseen shapes, less that one level deeper", [gap],
                  0.3, chance=0.0, note=f"{inorder['unseen']:.2f} and {inorder['deeper']:.2f}; deeper trees have no "
                  "more words than those trained on"),
        _at_least("preorder, which is copying, is no harder", "exact match on unseen shapes, preorder less inorder",
                  [preorder["unseen"] - inorder["unseen"]], 0.0, chance=0.0,
                  baseline=preorder["floors"]["apply the case without recursion"] -
                  inorder["floors"]["apply the case without recursion"]),
    ]  # fmt: skip


def _reconstruction(found: list[dict[str, Any]], sizes: dict[str, Any]) -> list[Claim]:
    rows = []
    for name, bar, claimed in (("recall", 0.85, 0.91), ("precision", 0.7, None), ("agreement", 0.85, None)):
        own = [one[name] for one in found if one[name] is not None]
        plain = [one["plain"][name] for one in found if one["plain"][name] is not None]
        rows.append(
            _at_least(
                f"the reconstruction foretells failures: {name}",
                f"share, {found[0]['inputs']} fresh inputs",
                own,
                bar,
                claimed=claimed,
                baseline=_mean(plain) if plain else None,
                note=f"baseline: it fails iff deeper than {sizes['shallow']}",
            )
        )
    gain = [one["agreement"] - one["plain"]["agreement"] for one in found]
    better = _mean(gain)
    rows.append(
        Claim("and beats the rule by depth", "agreement, less the rule's", measured=better, bar="> 0", met=better > 0)
    )
    return rows


def _parts(found: Records) -> list[Claim]:
    return [
        _at_least("a head marks where the recursion ends", "fall of exact match at depth 2 and more, less that at 0",
                  [one["contrast"] for one in found["balanced"]], 0.3, chance=0.0,
                  note=", ".join(f"{one['order']} {one['head']}" for one in found["balanced"])),
        _at_least("scripted errors in reductions are labelled right", "share", [found["reductions"][0]["labelled"]],
                  1.0, chance=1 / 6),
    ]  # fmt: skip


def _at_least(claim: str, metric: str, values: list[float], bar: float, note: str = "", **further: Any) -> Claim:
    if not values:
        missing = "; ".join(filter(None, ("nothing to count", note)))
        return Claim(claim, metric, bar=f">= {bar:g}", met=False, note=missing, **further)
    measured = _mean(values)
    worst = f"worst of {len(values)}: {min(values):.3f}" if len(values) > 1 else ""
    return Claim(claim, metric, measured=measured, bar=f">= {bar:g}", met=measured >= bar,
                 note="; ".join(filter(None, (worst, note))), **further)  # fmt: skip


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
