"""PrISM (arXiv 2410.14405): do fact recall, heuristics and guesswork leave different traces, and are they told apart?

On SmolLM2 with the capitals of 196 countries, invented people and towns, and sentences of ordinary English; and on a
small model in which it is known how each answer is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from explicate.benchmarks.prism import PrismBuilder, PrismDataset
from explicate.benchmarks.prism.contrast import subject_against_last
from explicate.benchmarks.prism.flags import Flags
from explicate.benchmarks.prism.names import RELATION, NameWorld
from explicate.benchmarks.prism.scenarios import EXACT, GENERIC, GUESS, HEURISTIC, SCENARIOS, Rules
from explicate.core.capabilities import Floats
from explicate.data.language.facts import capitals, encyclopedia, invented_people, invented_towns
from explicate.mechanisms.tracing import PLACES, causal_trace, extraction_rate, information_flow, summed_up
from explicate.models import zoo
from explicate.models.tiny.language import DecoderRecipe, train_decoder
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator
from explicate.runtime.statistics import Interval, bootstrap_interval, unpaired_difference

POPULAR = 1e6  # inhabitants of a capital
FEW = ("Santiago", "Nairobi", "Stockholm", "Nassau", "Manama", "Thimphu")
SIZES: dict[str, dict[str, Any]] = {
    "full": {"people": ("P19",), "samples": 24, "draws": 5, "every": 2, "windows": (6, 10)},
    "smoke": {"people": (), "samples": 3, "draws": 1, "every": 10, "windows": (6,)},
}
WORLDS = {
    "full": (NameWorld(), DecoderRecipe(steps=2500, batch=128, learning_rate=1e-3)),
    "smoke": (
        NameWorld(countries=12, firsts=10, lasts=10, telling=4, memorised=20),
        DecoderRecipe(steps=300, batch=32),
    ),
}
RATIO, SORTED = 3.0, 0.90
LAYERS_OF_FLOW = 9 / 48  # the paper's window on GPT-2 XL


def reproduce(context: Context) -> Sequence[Claim]:
    """The page's run on SmolLM2 and its check on a model with known truth."""
    scale, seeds = context.scale, list(context.seeds)
    units: list[dict[str, Any]] = [{"part": "world", "seed": seed} for seed in seeds]
    units += [{"part": "sort"}]
    units += [
        {"part": "trace", "seed": seed, "window": window}
        for window in SIZES[scale]["windows"]
        for seed in (seeds if window == SIZES[scale]["windows"][0] else seeds[:1])
    ]
    found = by_part(measured(context, "prism", _work, units, SIZES[scale]))
    traces = found["trace"]
    return [
        *_world_claims(found["world"]),
        *_sort_claims(found["sort"][0]),
        *_trace_claims(traces[: len(seeds)]),
        *_window_claims(traces),
    ]


# -- units ---------------------------------------------------------------------------------------------------------


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"world": _world, "sort": _sort, "trace": _trace}[unit["part"]](unit)


def _world(unit: dict[str, Any]) -> dict[str, Any]:
    """Sort the answers of a model whose ways of answering are known."""
    world, recipe = WORLDS[unit["scale"]]
    world = replace(world, seed=unit["seed"])
    recipe = replace(recipe, seed=unit["seed"])
    trained = train_decoder(world.decoder, world, recipe, name="names and countries")
    builder = PrismBuilder(
        top=1, invented_top=1, rules=Rules(popular=1000.0), flags=Flags(1, 1), relations={RELATION.name: RELATION}
    )
    found = builder.build(trained.model, world.facts(), world.unseen())
    sorted_as = {name: set(rows["scenario"]) - {""} for name, rows in found.frame.groupby("sub_label")}
    right = [sorted_as.get(name) == {EXACT} for name in world.by_heart]
    right_unseen = [sorted_as.get(name) == {HEURISTIC} for name in world.bearers[1]]
    answers = trained.model.predict(trained.model.encode([f"{name} was born in" for name in world.bearers[1]]))
    wanted = [world.decoder.ids[country] for country in world.bearers[1].values()]
    return {
        "memorised": right,
        "telling": right_unseen,
        "accuracy unseen": float((answers.argmax(axis=1) == wanted).mean()),
        "loss": float(trained.losses[-50:].mean()),
    }


@cache
def _dataset(scale: str) -> PrismDataset:
    sizes = SIZES[scale]
    few = scale == "smoke"
    facts = [fact for fact in capitals() if not few or fact.subject in FEW]
    invented = [*invented_towns()[:: 18 if few else 1], *invented_people(sizes["people"])]
    builder = PrismBuilder(rules=Rules(popular=POPULAR), invented_top=10)
    return builder.build(zoo.load("smollm2-135m"), facts, invented, encyclopedia()[:: 12 if few else 1])


def _sort(unit: dict[str, Any]) -> dict[str, Any]:
    found = _dataset(unit["scale"])
    frame = found.frame
    asked = frame[~frame["scenario"].isin([HEURISTIC, GENERIC]) & (frame["obj_label"] != "")]
    exact = found.of(EXACT)
    return {
        "rows": {scenario: len(found.of(scenario)) for scenario in SCENARIOS},
        "subjects": {scenario: int(found.of(scenario)["sub_label"].nunique()) for scenario in SCENARIOS},
        "heuristics": {str(k): int(v) for k, v in found.of(HEURISTIC)["heuristic"].value_counts().items()},
        "surface": int(asked["surface"].sum()),
        "predictions": len(asked),
        "exact p": float(exact["p_answers"].mean()),
        "ranks": [int((exact["rank_answers"] == rank).sum()) for rank in range(3)],
        "guess correct": int(found.of(GUESS)["correct"].sum()),
        "guess p": float(found.of(GUESS)["p_answers"].mean()),
        "right first": int((asked["correct"] & (asked["rank_answers"] == 0)).sum()),
        "right first and surface": int((asked["correct"] & asked["surface"] & (asked["rank_answers"] == 0)).sum()),
        "depth": [float(d) for d in found.of(HEURISTIC)["depth"].quantile([0.5, 0.9])],
        "dropped": found.dropped,
    }


def _trace(unit: dict[str, Any]) -> dict[str, Any]:
    """Trace each scenario by itself, one prompt a subject, drawn with the seed."""
    sizes, seed = SIZES[unit["scale"]], unit["seed"]
    model, dataset = zoo.load("smollm2-135m"), _dataset(unit["scale"])
    record: dict[str, Any] = {}
    for scenario in SCENARIOS:
        rows = dataset.of(scenario)
        rng = generator(seed, "samples", scenario)
        order = rng.permutation(len(rows))
        once = rows.iloc[order].drop_duplicates("sub_label").head(sizes["samples"])
        prompts, spans, tokens = once["prompt"].tolist(), once["span"].tolist(), once["token"].tolist()
        traced = causal_trace(
            model,
            prompts,
            spans,
            target=tokens,
            window=unit["window"],
            every=sizes["every"],
            draws=sizes["draws"],
            seed=seed,
        )
        summary = summed_up(traced, clip=True)
        record[scenario] = {
            "total effect": traced["total_effect"].values.tolist(),
            "contrast": [None if np.isnan(v) else float(v) for v in subject_against_last(traced)],
            "profile": np.nan_to_num(summary.mean.values).tolist(),
            "counts": summary.counts,
            "subjects": once["sub_label"].tolist(),
        }
        if unit["window"] == sizes["windows"][0]:
            window = max(1, round(LAYERS_OF_FLOW * model.layer_count))
            flow = information_flow(model, prompts, spans, target=tokens, window=window, every=sizes["every"])
            record[scenario]["flow"] = flow["percent"].values.tolist()
            extracted = {norm: extraction_rate(model, prompts, target=tokens, norm=norm) for norm in (True, False)}
            record[scenario]["extraction"] = {
                f"{part} {'normed' if norm else 'raw'}": float((found.extracted[:, number] >= 0).mean())
                for norm, found in extracted.items()
                for number, part in enumerate(("attention", "mlp"))
            }
    return record


# -- claims --------------------------------------------------------------------------------------------------------


def _world_claims(worlds: Sequence[dict[str, Any]]) -> list[Claim]:
    found = []
    for kind, what in (("memorised", "memorised names are sorted into exact recall"),
                       ("telling", "unseen bearers of telling names are sorted into heuristics")):  # fmt: skip
        shares = [float(np.mean(world[kind])) for world in worlds]
        values = np.concatenate([world[kind] for world in worlds]).astype(float)
        interval = bootstrap_interval(values, resamples=1000) if values.min() < values.max() else None
        found.append(
            Claim(
                f"known truth: {what}",
                "share of the names, mean of the seeds",
                measured=float(np.mean(shares)),
                interval=None if interval is None else (interval.low, interval.high),
                chance=0.5,
                bar=f">= {SORTED:.2f}",
                met=float(np.mean(shares)) >= SORTED,
                note=f"each seed: {_listed(shares)}; the model answers unseen bearers right in "
                f"{_listed([world['accuracy unseen'] for world in worlds])}",
            )
        )
    return found


def _sort_claims(sort: dict[str, Any]) -> list[Claim]:
    rows, subjects = sort["rows"], sort["subjects"]
    exact = rows[EXACT]
    return [
        Claim(
            "right answers that probably rest on heuristics",
            "share of the right first answers that carry a surface flag",
            claimed="510 of 1,209 (CounterFact, Llama-2)",
            measured=sort["right first and surface"] / max(1, sort["right first"]),
            note=f"{sort['right first and surface']} of {sort['right first']} on 196 capitals in 6 templates",
        ),
        Claim(
            "surface-flagged predictions",
            "share of the predictions (rank 0 to 2)",
            claimed="192,978 of 227,751 (Llama-2-13B)",
            measured=sort["surface"] / max(1, sort["predictions"]),
            note=f"{sort['surface']} of {sort['predictions']}",
        ),
        Claim(
            "rows of exact recall",
            "rows",
            claimed="3,072, mean p .276 (Llama-2-13B)",
            measured=float(exact),
            note=f"{subjects[EXACT]} capitals; ranks 0/1/2: {'/'.join(map(str, sort['ranks']))}; "
            f"mean p {sort['exact p']:.3f}",
        ),
        Claim(
            "rows of guesswork",
            "rows",
            claimed="4,370, of which 524 correct, mean p .041 (Llama-2-13B)",
            measured=float(rows[GUESS]),
            note=f"{subjects[GUESS]} capitals; {sort['guess correct']} correct; mean p {sort['guess p']:.3f}",
        ),
        Claim(
            "rows of heuristics recall",
            "rows",
            claimed="1,000: 483 prompt bias, 483 person name, 34 string match",
            measured=float(rows[HEURISTIC]),
            note=f"{sort['heuristics']}; candidates found at depth {sort['depth'][0]:.0f} (median) and "
            f"{sort['depth'][1]:.0f} (nine in ten) of 10; dropped {sort['dropped']}",
        ),
    ]


def _trace_claims(traces: Sequence[dict[str, Any]]) -> list[Claim]:
    effects = {s: [float(np.mean(t[s]["total effect"])) for t in traces] for s in SCENARIOS}
    ratios = [a / b if b > 0 else float("inf") for a, b in zip(effects[EXACT], effects[GUESS], strict=True)]
    ratio = float(np.mean(effects[EXACT]) / np.mean(effects[GUESS])) if np.mean(effects[GUESS]) > 0 else float("inf")
    contrast = {s: _Values.of(s, traces, lambda trace: trace["contrast"]) for s in SCENARIOS}
    gap = contrast[EXACT].above(contrast[HEURISTIC])
    shuffled = contrast[EXACT].shuffled(contrast[HEURISTIC])
    cost = {s: _Values.of(s, traces, lambda trace: _subject_cost(trace["flow"])) for s in SCENARIOS}
    flow = cost[EXACT].above(cost[GUESS])
    counts = [t[s]["counts"] for t in traces for s in SCENARIOS]
    parts = {EXACT: 0.33, HEURISTIC: 0.34, GUESS: 0.33}
    mixture = sum(share * float(contrast[scenario].mean) for scenario, share in parts.items())
    return [
        Claim(
            "spoiling the subject costs exact recall more than guesswork",
            "mean total effect of exact recall over that of guesswork",
            measured=ratio if np.isfinite(ratio) else None,
            chance=1.0,
            bar=f">= {RATIO:.0f}",
            met=ratio >= RATIO,
            note="; ".join(f"{s} {_listed(effects[s], 4)}" for s in SCENARIOS)
            + f"; ratios {_listed(ratios, 2)}; samples with a total effect below zero: "
            + ", ".join(f"{s} {sum(t[s]['counts']['below zero'] for t in traces)}" for s in SCENARIOS),
        ),
        Claim(
            "exact recall peaks at the subject's last token, heuristics at the last token",
            "difference of (share of the peaks at the last subject token less that at the last token)",
            claimed="mid-layer MLPs at the last subject token against late MLPs at the last token",
            measured=gap.value,
            interval=(gap.low, gap.high),
            baseline=shuffled.value,
            chance=0.0,
            bar="interval above 0",
            met=gap.low > 0,
            note=f"exact {contrast[EXACT].mean:.3f}, heuristics {contrast[HEURISTIC].mean:.3f}, guesswork "
            f"{contrast[GUESS].mean:.3f}, generic {contrast[GENERIC].mean:.3f}; normalised effects outside "
            f"[-1, 1]: {sum(c['outside'] for c in counts)}, undefined samples {sum(c['undefined'] for c in counts)}",
        ),
        Claim(
            "the same contrast after shuffling the scenarios",
            "difference of the shares",
            measured=shuffled.value,
            interval=(shuffled.low, shuffled.high),
            chance=0.0,
            bar="interval holds 0",
            met=shuffled.low <= 0 <= shuffled.high,
        ),
        Claim(
            "cutting the subject costs exact recall more than guesswork",
            "difference of the largest loss over the layers, in points of % of p",
            measured=flow.value,
            interval=(flow.low, flow.high),
            chance=0.0,
            bar="> 0",
            met=flow.value > 0,
            note="largest loss in %: " + ", ".join(f"{s} {cost[s].mean:.1f}" for s in SCENARIOS),
        ),
        Claim(
            "what the last token's attention and MLPs write names the answer",
            "share of exact-recall prompts named by some layer's attention (through the final norm)",
            measured=float(np.mean([t[EXACT]["extraction"]["attention normed"] for t in traces])),
            note="; ".join(
                f"{s}: " + ", ".join(
                    f"{k} {np.mean([t[s]['extraction'][k] for t in traces]):.2f}" for k in traces[0][s]["extraction"]
                )
                for s in SCENARIOS
            ),
        ),
        Claim(
            "a mixture hides the difference",
            "contrast of the combined set (33 % exact, 34 % heuristics, 33 % guesswork)",
            measured=mixture,
            note="against those of its parts above",
        ),
    ]  # fmt: skip


def _window_claims(traces: Sequence[dict[str, Any]]) -> list[Claim]:
    """The same with the paper's own window of 10 layers, where it was run."""
    found = []
    for trace in traces[1:]:
        if "flow" not in trace[EXACT]:
            exact, heuristic = (_Values.of(s, [trace], lambda one: one["contrast"]) for s in (EXACT, HEURISTIC))
            gap = exact.above(heuristic)
            found.append(
                Claim(
                    "the same with windows of 10 layers",
                    "difference of the shares",
                    measured=gap.value,
                    interval=(gap.low, gap.high),
                    chance=0.0,
                    note=f"total effects {np.mean(trace[EXACT]['total effect']):.4f} and "
                    f"{np.mean(trace[GUESS]['total effect']):.4f} (exact, guesswork); places are {', '.join(PLACES)}",
                )
            )
    return found


@dataclass(frozen=True, eq=False)
class _Values:
    """One figure of each traced prompt of a scenario, over all seeds, and whose prompt it is."""

    values: Floats
    subjects: list[str]

    @classmethod
    def of(
        cls, scenario: str, traces: Sequence[dict[str, Any]], figure: Callable[[Any], Sequence[float | None]]
    ) -> _Values:
        pairs = [
            (value, subject)
            for trace in traces
            for value, subject in zip(figure(trace[scenario]), trace[scenario]["subjects"], strict=True)
            if value is not None
        ]
        return cls(np.array([value for value, _ in pairs]), [subject for _, subject in pairs])

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    def above(self, other: _Values) -> Interval:
        """The difference of the means; a subject's prompts are resampled together."""
        return unpaired_difference(self.values, other.values, clusters=(self.subjects, other.subjects))

    def shuffled(self, other: _Values) -> Interval:
        """The same after the subjects' scenarios are drawn anew."""
        names = sorted({*self.subjects, *other.subjects})
        own = len(set(self.subjects))
        chosen = set(generator(0, "shuffled scenarios").permutation(names)[:own])
        values, subjects = np.concatenate([self.values, other.values]), [*self.subjects, *other.subjects]
        inside = np.array([subject in chosen for subject in subjects])
        labels = np.array(subjects)
        return unpaired_difference(
            values[inside], values[~inside], clusters=(labels[inside].tolist(), labels[~inside].tolist())
        )


def _subject_cost(percent: Any) -> list[float]:
    """The largest loss over the layers when the subject cannot be read, in % of the untouched probability."""
    return [float(value) for value in -np.array(percent)[:, :, 0].min(axis=1)]


def _listed(values: Sequence[float], decimals: int = 3) -> str:
    return ", ".join(f"{value:.{decimals}f}" for value in values)
