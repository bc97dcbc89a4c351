"""The claims of `successor_heads`: the page's bars on models trained here, and the paper's figures beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.reproductions.figures import listed, named

Records = Sequence[dict[str, Any]]
CASES = ("successorship", "greater-than", "copying", "acronym", "other")


def claims_of(found: dict[str, list[Any]]) -> list[Claim]:
    """All claims from the records of all parts."""
    planted, counters, contrast = found["planted"], found["counter"], found["without statements"]
    return [
        *_planted_claims(planted),
        *_counter_claims(counters, contrast),
        _large_claim(found["large"][0]),
        *_paper_claims(counters),
        *_text_claims(counters),
        *(claim for name in ("smollm2", "gemma") for claim in _real_claims(name, found.get(name, []))),
    ]


def _planted_claims(records: Records) -> list[Claim]:
    score, others = min(r["score"] for r in records), max(r["others"] - r["chance"] for r in records)
    cosines = {name: min(r["cosine"][name] for r in records) for name in records[0]["cosine"]}
    lowest = min(cosines.values())
    cover = _means([r["coverage"] for r in records], ("one to one", "held out", "shuffled"))
    swaps = _swap_means(records)
    return [
        Claim(
            "A planted successor head is found",
            f"successor score on all words that carry nothing, the lowest of {len(records)} models",
            measured=score,
            chance=records[0]["chance"],
            bar="= 1",
            met=score == 1.0,
            note=f"with words that carry, which it gets wrong: {_mean(r['with carry'] for r in records):.3f}; "
            "planted rivals on the same words: "
            + ", ".join(f"{name} head {records[0]['rivals'][name][name]:.3f}" for name in records[0]["rivals"]),
        ),
        Claim(
            "and no other head",
            "highest score of another head, less chance, the largest",
            measured=others,
            chance=0.0,
            bar="<= 0.05",
            met=others <= 0.05,
        ),
        Claim(
            "Three estimates find the planted directions of the last digit",
            "lowest mean cosine with the planted units block, of three estimates and all models (what all residues "
            "have in common taken out)",
            measured=lowest,
            chance=0.0,
            bar=">= 0.95",
            met=lowest >= 0.95,
            note=f"{named(cosines)}; features one to one cover {cover['one to one']:.3f} of the words, held out "
            f"{cover['held out']:.3f}, with shuffled residues {cover['shuffled']:.3f}; neurons of each residue: "
            f"{records[0]['neurons']}",
        ),
        Claim(
            "Swapping them changes what the planted head counts to",
            "success on held-out numbers; the words that carry cannot succeed",
            measured=swaps["best"],
            baseline=swaps["class means"],
            chance=swaps["random"],
            note=named(swaps),
        ),
    ]


def _counter_claims(records: Records, contrast: Records) -> list[Claim]:
    scores = [r["score"][0] for r in records]
    ratio = min(r["score"][0] / max(r["median of another layer"], r["chance"]) for r in records)
    words, without = ([r["probe"]["number words"] for r in part] for part in (records, contrast))
    swaps = _swap_means(records)
    gap = float(np.mean(words) - np.mean(without))
    best = max(range(len(records)), key=lambda i: records[i]["score"][0])
    return [
        Claim(
            "A decoder trained to count has a successor head",
            f"successor score of the best head on held-out words, the lowest of {len(records)} models",
            measured=min(scores),
            interval=_interval(records, int(np.argmin(scores))),
            baseline=max(r["runner up"] for r in records),
            chance=_mean(r["chance"] for r in records),
            bar="> 0.5",
            met=min(scores) > 0.5,
            note=f"head and state chosen on the other words: {'; '.join(_where(r) for r in records)}; baseline: the "
            f"runner-up head; rivals on the same words: {named(records[best]['rivals'])}; all words, by state: "
            f"{_states(records)}",
        ),
        Claim(
            "and the other layers have none",
            "its score over the highest median of another layer's heads (at least chance), the lowest",
            measured=ratio,
            chance=1.0,
            bar=">= 3",
            met=ratio >= 3,
        ),
        Claim(
            "Last digits are the same in numbers and in number words",
            "residues of number words read right by a probe of the numbers, mean of the models",
            measured=float(np.mean(words)),
            baseline=float(np.mean(without)),
            chance=0.1,
            bar=">= 0.60",
            met=bool(np.mean(words) >= 0.60),
            note=f"each model: {listed(words)}; baseline: models trained without statements; other tasks: "
            + named(
                _means([r["probe"] for r in records], [n for n in records[0]["probe"] if n not in ("others", "words")])
            ),
        ),
        Claim(
            "because statements about last digits gave a reason for it",
            "the same, less that of models trained without these statements, mean of the models",
            measured=gap,
            chance=0.0,
            bar=">= 0.30",
            met=gap >= 0.30,
            note=f"without: {listed(without)}; those models count too, best heads "
            + listed([r["score"][0] for r in contrast]),
        ),
        Claim(
            "Swapping directions of the last digit steers what the head counts to",
            "success on held-out numbers, mean of the models",
            measured=swaps["best"],
            baseline=swaps["class means"],
            chance=swaps["random"],
            bar=">= 0.40",
            met=swaps["best"] >= 0.40,
            note="estimate and scale chosen on other words: "
            + ", ".join(f"{r['swaps']['estimate']} x {r['swaps']['scale']:g}" for r in records)
            + f"; all estimates: {named(swaps)}; each model: "
            + listed([r["swaps"]["success"][r["swaps"]["estimate"]] for r in records]),
        ),
        Claim(
            "and swapping random directions does not",
            "success on held-out numbers for random directions, the largest",
            measured=max(r["swaps"]["success"]["random"] for r in records),
            bar="<= 0.15",
            met=max(r["swaps"]["success"]["random"] for r in records) <= 0.15,
            note=f"other features of the same autoencoders: {swaps.get('other features', float('nan')):.3f}",
        ),
    ]


def _large_claim(record: dict[str, Any]) -> Claim:
    success = record["swaps"]["success"]
    return Claim(
        "For information: a decoder with six times as many weights",
        "success of swaps on held-out numbers, one model",
        measured=success[record["swaps"]["estimate"]],
        baseline=success["class means"],
        chance=success["random"],
        note=f"{record['weights']:,} weights, trained in the same way; score {_where(record)}; number words read right "
        f"{record['probe']['number words']:.3f}; swaps in them {record['swaps']['by task']['number words']:.3f}",
    )


def _paper_claims(records: Records) -> list[Claim]:
    """The paper's figures beside ours, for information."""
    splits = [r["index and list"] for r in records]
    cosines = {name: [r["cosine"][name] for r in records] for name in records[0]["cosine"]}
    pair = np.array(cosines["autoencoder and probe"]).mean(axis=0)
    cover = _means(
        [r["coverage"] for r in records], ("coverage", "one to one", "held out", "shuffled", "distinct", "explained")
    )
    tasks = _means([r["swaps"]["by task"] for r in records], list(records[0]["swaps"]["by task"]))
    scales = _means([r["swaps"]["by scale"] for r in records], list(records[0]["swaps"]["by scale"]))
    roman = _means([s["roman"] for s in splits], ("decoded", "successor", "itself", "chance"))
    return [
        Claim(
            "For information: the best head against the runner-up",
            "score over that of the second-best head; claimed is Pythia-1.4B's L12H0",
            claimed=8.0,
            measured=_mean(r["score"][0] / max(r["runner up"], r["chance"]) for r in records),
            chance=1.0,
            note="in training: "
            + "; ".join(", ".join(f"{name} {score:.2f}" for name, score, _ in r["recurrence"]) for r in records),
        ),
        Claim(
            "For information: index and list add up",
            "held-out words read off P[i] + (I - P)[j], nearest word",
            claimed=1.0,
            measured=_known(_mean(s["nearest"] for s in splits)),
            baseline=_known(_mean(s["average"] for s in splits)),
            chance=splits[0]["chance"],
            note="through the unembedding {unembedding:.3f}; the index alone, in any list, {indices:.3f}; of numbers "
            "and number words, the only lists that were ever tied together here: words {tied words:.3f}, indices "
            "{tied indices:.3f}; baseline: half of each word".format_map(
                {name: _mean(s[name] for s in splits) for name in splits[0] if "roman" not in name}
            ),
        ),
        Claim(
            "For information: the head counts on synthesised Roman numerals",
            "share answered with the successor among the numerals",
            claimed=0.125,
            measured=roman["successor"],
            baseline=_mean(s["roman average"] for s in splits),
            chance=roman["chance"],
            note=f"on their own representations {roman['itself']:.3f}; read as the one meant {roman['decoded']:.3f}",
        ),
        Claim(
            "For information: words covered by the modal feature of their residue",
            f"share of words, best of {records[0]['coverage']['restarts']} restarts",
            claimed=0.585,
            measured=cover["coverage"],
            baseline=cover["shuffled"],
            chance=0.1,
            note=f"one to one {cover['one to one']:.3f}, on held-out words {cover['held out']:.3f}; different modal "
            f"features {cover['distinct']:.1f} of 10; variance explained on held-out words {cover['explained']:.2f}; "
            "baseline: one to one with shuffled residues",
        ),
        Claim(
            "For information: the probe's rows are the autoencoder's features",
            "mean cosine, what all residues have in common taken out",
            claimed=0.708,
            measured=float(pair[0]),
            baseline=float(pair[2]),
            chance=0.0,
            note="as they are "
            + f"{pair[1]:.3f}; "
            + "; ".join(f"{name} {np.array(values).mean(axis=0)[0]:.3f}" for name, values in cosines.items())
            + "; baseline: directions of different residues",
        ),
        Claim(
            "For information: a probe of the numbers on all other tasks",
            f"residues read right of {records[0]['probe']['words']} words; claimed 94 of 102",
            claimed=round(94 / 102, 3),
            measured=_mean(r["probe"]["others"] for r in records),
            chance=0.1,
            note="only numbers and number words were ever tied to last digits here",
        ),
        Claim(
            "For information: swaps in the numbers 20 to 29",
            "success",
            claimed=0.89,
            measured=_mean(r["swaps"]["20 to 29"] for r in records),
            chance=_mean(r["swaps"]["success"]["random"] for r in records),
            note=f"by scale over all tasks: {named(scales)}",
        ),
        Claim(
            "For information: swaps in months, and where they fail",
            "success; the paper's fail for days and letters",
            claimed=0.53,
            measured=tasks["months"],
            note=named(tasks),
        ),
        Claim(
            "For information: failures that are too large",
            "share of failed swaps whose answer is larger than intended",
            measured=_mean(r["swaps"]["greater"] for r in records),
            chance=0.5,
            note=f"failures: {[r['swaps']['failures'] for r in records]} of {[r['swaps']['swaps'] for r in records]}",
        ),
    ]


def _text_claims(records: Records) -> list[Claim]:
    texts = [r["text"] for r in records]
    shares, shuffled = (
        {case: _mean(t[name].get(case, 0.0) for t in texts) for case in CASES} for name in ("shares", "shuffled")
    )
    lists = [t["lists"] for t in texts]
    lens = _means([t["lens"] for t in texts], ("vocabulary", "task", "itself"))
    return [
        *(
            Claim(
                f"For information: {case} among the prefixes that the head wins",
                "share; here on the decided words of enumerations and statements, which spell no acronyms",
                claimed=claimed,
                measured=shares[case],
                baseline=shuffled[case],
                note=note,
            )
            for case, claimed, note in (
                ("acronym", 0.238, "baseline: outputs and attended words of different prefixes put together"),
                (
                    "greater-than",
                    0.189,
                    f"all: {named(shares)}; prefixes won: {[t['won'] for t in texts]} of {texts[0]['prefixes']} each",
                ),
            )
        ),
        Claim(
            "For information: numbered lists",
            f"lists of {lists[0]['of']} in which the head has the largest direct effect, mean of the models",
            claimed=64,
            measured=_mean(each["won"] for each in lists),
            chance=lists[0]["chance"],
            note=f"each model: {[each['won'] for each in lists]}; most lists won by one head: "
            f"{[each['most'] for each in lists]}",
        ),
        Claim(
            "Without the head the successor does not come out",
            "share of words whose successor is the likeliest token, through an affine lens on what the head reads",
            claimed="below 0.01",
            measured=lens["vocabulary"],
            chance=0.004,
            note=f"among the words of the task {lens['task']:.3f}, the word itself {lens['itself']:.3f}",
        ),
    ]


def _real_claims(name: str, records: Records) -> list[Claim]:
    if not records:
        return []
    record = records[0]
    title = {"smollm2": "SmolLM2-135M-Instruct", "gemma": "Gemma-3-270M"}[name]
    if "missing" in record:
        return [Claim(f"{title} has no successor head", "highest successor score", note=record["missing"])]
    table = "; ".join(
        f"{state} {head} {score} (copying {copying}, predecessor {before})"
        for state, head, score, copying, before in record["table"]
    )
    note = (
        f"{table}; {record['words']} words; single-token numbers: {record['numbers']}, as digits are split; "
        f"tasks without enough single tokens: {', '.join(record['skipped']) or 'none'}"
    )
    if "text" in record:
        text = record["text"]
        note += (
            f"; on running text its best head wins {text['won']} of {text['prefixes']} prefixes"
            + (f" ({named(text['shares'])})" if text["shares"] else "")
            + f", and {text['lists won']} of {text['lists']} numbered lists"
        )
    return [
        Claim(
            f"{title} has no successor head: a negative outcome",
            "highest successor score of any head, in any of the states",
            claimed="> 0.5 in GPT-2, Pythia and Llama-2, 31M to 12B",
            measured=record["score"][0],
            interval=(record["score"][1], record["score"][2]),
            baseline=record["runner up"],
            chance=record["chance"],
            bar="< 0.3" if name == "smollm2" else "",
            met=record["score"][0] < 0.3 if name == "smollm2" else None,
            note=note,
        )
    ]


def _swap_means(records: Records) -> dict[str, float]:
    names = dict.fromkeys(name for r in records for name in r["swaps"]["success"])
    found = {
        name: _mean(r["swaps"]["success"][name] for r in records if name in r["swaps"]["success"]) for name in names
    }
    return {"best": _mean(r["swaps"]["success"][r["swaps"]["estimate"]] for r in records), **found}


def _interval(records: Records, number: int) -> tuple[float, float]:
    return (records[number]["score"][1], records[number]["score"][2])


def _where(record: dict[str, Any]) -> str:
    return f"{record['head']} reading {record['state']} {record['score'][0]:.3f} (loss {record['loss']:.3f})"


def _states(records: Records) -> str:
    return "; ".join(
        ", ".join(f"{state} {score:.2f}" for state, (_, score) in r["on all words"].items()) for r in records
    )


def _means(records: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, float]:
    return {name: _mean(r[name] for r in records) for name in names}


def _mean(values: Any) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
