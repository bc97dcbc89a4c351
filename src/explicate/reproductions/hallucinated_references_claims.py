"""The claims on hallucinated references, judged from what the reproduction's units recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim

Records = Sequence[dict[str, Any]]
DECIMALS = 3
TABLE = {"IQ": 0.878, "DQ1": 0.887, "DQ2": 0.845, "DQ3": 0.861, "DQ": 0.917, "IQ+DQ": 0.929}
INVENTED = {"gpt-4": 0.468, "gpt-3.5-turbo": 0.596, "text-davinci-003": 0.736}
MEANS = (0.70, 0.10)
NEVER = "not measured at this scale"


def claims(found: Mapping[str, Records]) -> list[Claim]:
    """All claims: the librarian, the bibliography, SmolLM2, and the published answers."""
    return [
        *_librarian(found["librarian"]),
        *_memory(found["bibliography"]),
        *_controls(found["bibliography"]),
        *_smollm2(found["smollm2"]),
        *_published({one["model"]: one for one in found["published"]}),
    ]


def _librarian(found: Records) -> list[Claim]:
    areas = [one["IQ"]["auc"][0] for one in found]
    ensembles = [one["IQ+DQ"]["auc"][0] for one in found]
    means = [one["IQ"]["means"] for one in found]
    return [
        Claim("Repeated questions find out a librarian that makes up authors", "AUC of IQ, scripted, lowest seed", None,
              min(areas), chance=0.5, bar="= 1", met=min(areas) == 1,
              note=f"mean IQ {means[0][0]:.3f} on known and {means[0][1]:.3f} on made-up titles"),
        Claim("and so does the ensemble", "AUC of IQ+DQ, scripted, lowest seed", None, min(ensembles), chance=0.5),
    ]  # fmt: skip


def _memory(found: Records) -> list[Claim]:
    recall = min(one["recall_well_known"] for one in found)
    well = [one["IQ_well_known"]["IQ"]["auc"] for one in found]
    rare = [one["IQ_rare"]["IQ"]["auc"] for one in found]
    value, lower = _lowest(well), min(low for low, _ in zip((one[0] for one in rare), well, strict=True))
    gradient = all(0.5 < low[0] < high[0] for low, high in zip(rare, well, strict=True))
    means = [one["IQ_well_known"]["IQ"]["means"] for one in found]
    return [
        Claim("The decoder knows the well-known works by heart", "exact recall of all authors, greedy, lowest seed",
              None, recall, bar=">= 0.95", met=recall >= 0.95,
              note=f"{found[0]['parameters']:,} weights; recall of rare works {_each(found, 'recall_rare')}"),
        Claim("IQ tells well-known works from recombined titles", "AUC of IQ by names, lowest seed", None, value[0],
              (value[1], value[2]), chance=0.5, bar=">= 0.90", met=value[0] >= 0.90,
              note=f"per seed {[round(one[0], 3) for one in well]}; mean IQ {means[0][0]:.3f} and {means[0][1]:.3f}"),
        Claim("and rare works less well: memory has a gradient", "AUC of IQ, rare against recombined, lowest seed",
              None, lower, (_lowest(rare)[1], _lowest(rare)[2]), chance=0.5,
              bar="between 0.5 and that of well-known works, every seed", met=gradient,
              note=f"per seed {[round(one[0], 3) for one in rare]}; exact recall of rare works, which bounds what can "
                   f"be told of them, is {_each(found, 'recall_rare')}"),
    ]  # fmt: skip


def _controls(found: Records) -> list[Claim]:
    answered = max(abs(one["answered_well_known"]["answered"]["auc"][0] - 0.5) + 0.5 for one in found)
    greedy = [one["greedy"] for one in found]
    areas = [one["overlap"]["auc"][0] for one in greedy]
    quiet = all(one["warned"] and one["undefined"] for one in greedy)
    claims = [
        Claim("The decoder always answers with names, so refusal does not do the work",
              "AUC of having named anybody in one sample, seed farthest from 0.5", None, answered, chance=0.5,
              bar="<= 0.6", met=answered <= 0.6),
        Claim("Greedy lists destroy the signal", "AUC of the overlap of three greedy lists, seed farthest from 0.5",
              None, max(areas, key=lambda one: abs(one - 0.5)), chance=0.5, bar="= 0.5, all lists equal",
              met=all(area == 0.5 for area in areas) and all(one["equal"] == 1 for one in greedy)),
        Claim("and the checker says so instead of reporting it", "share of seeds with a warning and an undefined IQ",
              None, float(np.mean([one["warned"] and one["undefined"] for one in greedy])), bar="= 1", met=quiet),
    ]  # fmt: skip
    for name in ("IQ", "DQ1", "DQ2", "DQ3", "DQ", "IQ+DQ"):
        areas = [one["direct"][name]["auc"] for one in found]
        value = _lowest(areas)
        yes = found[0]["direct"][name]["yes"]
        told = "" if yes is None else f"; yes-rate {yes:.2f} on seed 0"
        claims.append(
            Claim(f"{name} on titles whose existence was never told", f"AUC of {name}, well-known against recombined, "
                  "lowest seed", None, value[0], (value[1], value[2]), chance=0.5,
                  note=f"per seed {[round(one[0], 3) for one in areas]}{told}")
        )  # fmt: skip
    generated = [one["generated"] for one in found]
    shares = [one["share"] for one in generated if "share" in one]
    areas = [one["IQ"]["auc"] for one in generated if "IQ" in one]
    note = f"share made up {[round(one, 3) for one in shares]} of {[one['titles'] for one in generated]} titles"
    worst = _lowest(areas) if areas else None
    claims.append(
        Claim("IQ on the titles that the decoder itself gives", "AUC of IQ, lowest seed", None,
              worst[0] if worst else None, (worst[1], worst[2]) if worst else None, chance=0.5,
              note=note if areas else f"fewer than ten titles of one kind; {note}")
    )  # fmt: skip
    return claims


def _smollm2(found: Records) -> list[Claim]:
    measured = [one for one in found if "IQ" in one]
    first = next((one for one in measured if "DQ1" in one), None)
    claims = []
    for name in ("IQ", "DQ1", "DQ2", "DQ3", "DQ", "IQ+DQ", "IQ+DQ1", "IQ+DQ2", "IQ+DQ3"):
        metric = f"AUC of {name}, 60 famous against 60 invented books, SmolLM2-135M"
        if first is None:
            missing = found[0]["missing"] if found else NEVER
            claims.append(Claim(f"{name} tells famous from invented books", metric, note=missing))
            continue
        area = first[name]["auc"]
        yes = first[name]["yes"]
        note = f"mean {first[name]['means'][0]:.3f} on famous and {first[name]['means'][1]:.3f} on invented books"
        note += f"; yes-rate {yes:.2f} by the first token" if yes is not None else ""
        if name == "IQ":
            note += f"; per seed {[round(one['IQ']['auc'][0], 3) for one in measured]}"
            note += f"; {first['errors']['missed']} famous books missed, {first['errors']['taken']} invented taken"
        claims.append(
            Claim(f"{name} tells famous from invented books", metric, None, area[0], (area[1], area[2]), chance=0.5,
                  bar="interval above 0.5, to be claimed" if name == "IQ" else "",
                  met=area[1] > 0.5 if name == "IQ" else None, note=note)
        )  # fmt: skip
    if first is not None:
        lead = first["IQ"]["auc"][0] - first["DQ"]["auc"][0]
        claims.append(
            Claim("The indirect query tells more than direct ones in a small model", "AUC of IQ less that of DQ", None,
                  lead, chance=0.0, note="expected above 0")
        )  # fmt: skip
    return claims


def _published(found: Mapping[str, dict[str, Any]]) -> list[Claim]:
    claims = []
    gpt4 = found.get("gpt-4", {})
    for way, named in (("stored", "the stored scores"), ("again", "the raw answers")):
        for name, value in TABLE.items():
            metric = f"AUC of {name} of GPT-4, from {named}"
            if way not in gpt4:
                claims.append(Claim(f"{name} of GPT-4", metric, value, note=gpt4.get("missing", NEVER)))
                continue
            area = gpt4[way][name]
            claims.append(
                Claim(f"{name} of GPT-4", metric, value, area[0], (area[1], area[2]), chance=0.5,
                      bar=f"{value} to three decimals", met=abs(area[0] - value) <= 0.5001 * 10**-DECIMALS)
            )  # fmt: skip
    for model, share in INVENTED.items():
        one = found.get(model, {})
        measured = one.get("invented")
        claims.append(
            Claim(f"Share of references that {model} made up", "of 1,000", share, measured,
                  bar="" if measured is None else f"{share} to three decimals",
                  met=None if measured is None else round(measured, DECIMALS) == share,
                  note=one.get("missing", NEVER) if measured is None else "")
        )  # fmt: skip
    for place, (kind, value) in enumerate(zip(("exist", "were made up"), MEANS, strict=True)):
        means = gpt4.get("means")
        claims.append(
            Claim(f"Mean IQ of GPT-4 on titles that {kind}", "0 to 1", value, means[place] if means else None,
                  bar=f"{value:.2f} to two decimals" if means else "",
                  met=round(means[place], 2) == value if means else None,
                  note="" if means else gpt4.get("missing", NEVER))
        )  # fmt: skip
    for model in ("gpt-3.5-turbo", "text-davinci-003"):
        areas = found.get(model, {}).get("again")
        if areas:
            shown = ", ".join(f"{name} {area[0]:.3f}" for name, area in areas.items())
            claims.append(
                Claim(f"In {model} IQ tells more than each direct query", "AUC of IQ less the best of DQ1 to DQ3", None,
                      areas["IQ"][0] - max(areas[name][0] for name in ("DQ1", "DQ2", "DQ3")), chance=0.0, note=shown)
            )  # fmt: skip
    return claims


def _lowest(areas: Sequence[Sequence[float]]) -> Sequence[float]:
    return min(areas, key=lambda one: one[0])


def _each(found: Records, name: str) -> list[float]:
    return [round(one[name], 3) for one in found]
