"""The bars of WACK, and what is reported without one, judged on the units' records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.reproductions.claims import Claim
from explicate.reproductions.figures import mean_of
from explicate.runtime.statistics import Interval, t_interval

PUBLISHED = (
    "correct / HK+ / HK-: TriviaQA Llama-3.1 14,154 / 1,675 / 7,356; Gemma-2 13,534 / 2,563 / 6,991; Mistral 12,652 / "
    "2,841 / 7,650; NQ Llama-3.1 5,934 / 1,104 / 14,739; Gemma-2 6,045 / 1,859 / 13,762; Mistral 5,562 / 1,546 / 14,689"
)

MARKED = (
    "an easy bar here: each answer in the training texts is followed by a mark that says how it came about ('.' right, "
    "'!' misled, '?' guessed), so a state after the answer holds the class in order to foretell the mark"
)
"""What must be said of every figure after the answer; before it there is no mark to foretell."""


def planted(seeds: Sequence[dict[str, Any]]) -> list[Claim]:
    """The model whose truth is known."""
    return [*_labels(seeds), *_probes(seeds), *_compared(seeds), *_others(seeds), *_mended(seeds)]


def _labels(seeds: Sequence[dict[str, Any]]) -> list[Claim]:
    shown = "; ".join(", ".join(f"{n} {label}" for label, n in each["counts"].items()) for each in seeds)
    claims = []
    for label, bar in (("HK-", 0.95), ("HK+", 0.90)):
        worst = min(min(each["recovered"][label]) for each in seeds)
        pairs = ", ".join("{:.3f} / {:.3f}".format(*each["recovered"][label]) for each in seeds)
        claims.append(
            Claim(f"labels find what the planted model {'does not know' if label == 'HK-' else 'knows and errs on'}",
                  f"recall and precision of {label}, the lower, worst seed", None, worst, bar=f">= {bar:.2f}",
                  met=worst >= bar, note=f"recall / precision by seed {pairs}; labelled {shown}; "
                  f"{seeds[0]['parameters']:,} parameters, steps {', '.join(str(each['steps']) for each in seeds)}")
        )  # fmt: skip
    return claims


def _probes(seeds: Sequence[dict[str, Any]]) -> list[Claim]:
    three, before = (
        _all(seeds, "three-way", "specific"),
        _all(seeds, "before", "pre-answer specific"),
    )
    after3, early = _interval(three), _interval(before)
    pre3 = _interval(_all(seeds, "three-way before", "specific"))
    control3, control = mean_of(three, "control"), mean_of(before, "control")
    words, output, untrained = (_baseline(seeds, name) for name in ("words", "output after", "untrained post"))
    words2, output2, untrained2 = (
        _baseline(seeds, name) for name in ("words before", "output before", "untrained pre")
    )
    questions = _interval(_all(seeds, "by question", "pre-answer specific (bad-shots)"))
    heads = _interval(_all(seeds, "heads", "pre-answer specific (bad-shots)"))
    pairs = {name: mean_of(three, name) for name in three[0] if name.startswith(("pair ", "strict "))}
    layers = _by_place(seeds)
    return [
        Claim("correct answers, errors despite knowledge and ignorance are told apart after the answer",
              "three-way accuracy, held-out facts and examples, place chosen on training facts", "0.60-0.70 (paper)",
              after3.value, (after3.low, after3.high), max(words, untrained, output), 1 / 3,
              ">= 0.75", after3.value >= 0.75,
              f"{MARKED} (next-token probabilities alone give {output:.3f}); before the answer, where there is none, "
              f"{pre3}; weighted F1 {mean_of(three, 'weighted_f1'):.3f}; words {words:.3f}, untrained model "
              f"{untrained:.3f}; places {_places(three)}; best of all places after the fact {layers}"),
        Claim("with shuffled training labels the three-way probe is at chance", "|control - chance|", None,
              abs(control3 - 1 / 3), bar="<= 0.05", met=abs(control3 - 1 / 3) <= 0.05, note=f"control {control3:.3f}"),
        Claim("before the answer an error despite knowledge can be foreseen",
              "accuracy correct / HK+, held-out facts and examples", None, early.value, (early.low, early.high),
              max(words2, output2, untrained2), 0.5, ">= 0.70", early.value >= 0.70,
              ("next-token probabilities foresee it better than the probe; " if output2 > early.value else "")
              + f"split by facts alone {questions}; best head {heads}; words of the question {words2:.3f}, next-token "
              f"probabilities {output2:.3f}, untrained model {untrained2:.3f}; places {_places(before)}"),
        Claim("with shuffled training labels the early probe is at chance", "|control - chance|", None,
              abs(control - 0.5), bar="<= 0.05", met=abs(control - 0.5) <= 0.05, note=f"control {control:.3f}"),
        Claim("each pair is told apart", "lowest pair accuracy as read off the three-way confusions", ">= 0.70 (paper)",
              min(value for name, value in pairs.items() if name.startswith("pair ")), chance=2 / 3,
              note="after the answer, so the mark makes this easy too; a third answer counts as right in this figure, "
              "so chance is 2/3; with it as wrong (chance 1/3): "
              + ", ".join(f"{name[7:]} {value:.3f}" for name, value in pairs.items() if name.startswith("strict "))),
    ]  # fmt: skip


def _compared(seeds: Sequence[dict[str, Any]]) -> list[Claim]:
    specific, generic = _all(seeds, "after", "specific"), _all(seeds, "after", "generic")
    gain = t_interval([a - b for a, b in zip(_each(specific), _each(generic), strict=True)])
    early = _interval(_all(seeds, "before", "post-answer generic"))
    late = _interval(_all(seeds, "before", "post-answer specific"))
    dropped = "; ".join(
        f"{each['generic']['pairs']} pairs, dropped {each['generic']['dropped'] or 'none'}" for each in seeds
    )
    return [
        Claim("a probe trained on the model's own errors beats one trained on generic ones",
              "accuracy correct / HK+ after the answer, specific less generic", "generic always below (paper)",
              gain.value, (gain.low, gain.high), chance=0.0, bar=">= 0.10", met=gain.value >= 0.10,
              note=f"specific {_interval(specific)}, generic {_interval(generic)}; after the answer, where the mark "
              f"helps the specific probe; {dropped}"),
        Claim("before the answer a generic probe is at chance", "accuracy correct / HK+, post-answer generic probe",
              "chance (paper)", early.value, (early.low, early.high), chance=0.5,
              note=f"post-answer specific probe {late}, pre-answer specific probe "
              f"{_interval(_all(seeds, 'before', 'pre-answer specific'))}"),
    ]  # fmt: skip


def _others(seeds: Sequence[dict[str, Any]]) -> list[Claim]:
    counts = "; ".join(f"{each['transfer']['counts']['HK+']} HK+" for each in seeds)
    own = [each["transfer"] for each in seeds if "to bad shots" in each["transfer"]]
    if not own:
        refused = seeds[0]["transfer"].get("refused", "")
        return [Claim("probes carry over to another setting", "accuracy lost", "up to 0.10 (paper)", None,
                      note=f"two of three examples wrong: {counts}; {refused}")]  # fmt: skip
    lost, kept = [], []
    for each in own:
        for way in ("to bad shots", "to two bad shots"):
            same, other = each[way]["same setting"]["each"], each[way]["other setting"]["each"]
            lost += [a - b for a, b in zip(same, other, strict=True)]
            kept += other
    change = t_interval(lost)
    return [
        Claim("probes carry over to another setting", "accuracy correct / HK+ lost by training in the other setting",
              "up to 0.10, above chance (paper)", change.value, (change.low, change.high), chance=0.5,
              note=f"accuracy in the other setting {t_interval(kept)}; settings: three and two of three examples wrong "
              f"({counts})"),
    ]  # fmt: skip


def _mended(seeds: Sequence[dict[str, Any]]) -> list[Claim]:
    claims = []
    for remedy in ("steer", "ask again"):
        rows = {label: [row for each in seeds for row in each["mitigation"]
                        if row["remedy"] == remedy and row["label"] == label]
                for label in ("correct", "HK+", "HK-", "all")}  # fmt: skip
        mean = {label: {name: float(np.mean([row[name] for row in own])) for name in own[0] if name not in
                        ("remedy", "label")} for label, own in rows.items()}  # fmt: skip
        gains = [row["after"] - row["before"] for row in rows["HK+"]]
        how = f"; strength {mean['all']['strength']:.1f}, layer {mean['all']['layer']:.1f}" if remedy == "steer" else ""
        claims.append(
            Claim(f"errors despite knowledge are mended: {remedy}", "accuracy on HK+ after routing less before", None,
                  float(np.mean(gains)), (min(gains), max(gains)), mean["HK+"]["always"], 0.0,
                  note=f"interval: range of the seeds; baseline: everything treated; correct answers keep "
                  f"{mean['correct']['after']:.3f} ({mean['correct']['always']:.3f} if all were treated), of HK- "
                  f"{mean['HK-']['abstained']:.3f} are abstained from and {mean['HK-']['wrong']:.3f} answered wrongly; "
                  f"all wrong answers fall from {1 - mean['all']['before']:.3f} to {mean['all']['wrong']:.3f}{how}")
        )  # fmt: skip
    return claims


def language(settings: Sequence[dict[str, Any]]) -> list[Claim]:
    """SmolLM2 on everyday questions."""
    if any("missing" in each for each in settings):
        return [Claim("SmolLM2 knows many everyday answers", "high-knowledge items", None, None,
                      note=next(each["missing"] for each in settings if "missing" in each))]  # fmt: skip
    first = settings[0]
    counts = first["counts"]
    high = counts["correct"] + counts["HK+"]
    rest = high + counts["HK-"]
    claims = [
        Claim("SmolLM2-135M-Instruct knows many everyday answers", "questions answered rightly in all tests", PUBLISHED,
              high, bar=">= 150", met=high >= 150,
              note=f"of {first['asked']:,} asked (dropped {first['dropped'] or 'none'}): {_listed(counts)}; hits "
              f"{_listed(first['histogram'])}; known by topic {_listed(first['topics'])}"),
        Claim("few answers lie between knowing and not knowing", "middle items over the rest", "about 0.1 (repo files)",
              counts["middle"] / max(1, rest), note="a small model at temperature 0.5 often wavers"),
    ]  # fmt: skip
    for each in settings:
        errors = each["counts"]["HK+"]
        known = errors + each["counts"]["correct"]
        published = "0.11-0.22 of the known (paper)" if each["setting"] == "bad-shots" else "679-988 a set (repo files)"
        claims.append(
            Claim(f"it errs on what it knows, after {each['setting']}", "HK+ items", published, errors,
                  note=f"{errors / max(1, known):.3f} of the known; by topic {_listed(each['error topics'])}; "
                  f"{each['late']} of them are right later in the line and no errors"
                  + ("" if "post" in each else "; fewer than 60, so no probe is fitted"))
        )  # fmt: skip
        if "post" in each:
            claims += _language_probes(each)
    return claims


def _language_probes(each: dict[str, Any]) -> list[Claim]:
    (three,), (pair,), (early,) = (
        each[when][what].values() for when, what in (("post", "three-way"), ("post", "errors"), ("pre", "errors"))
    )
    (pre3,) = each["pre"]["three-way"].values()
    return [
        Claim(f"the three kinds are told apart in SmolLM2, after {each['setting']}",
              "three-way accuracy, held-out questions and examples", "0.60-0.70 (paper)", three["accuracy"],
              (min(three["each"]), max(three["each"])), each["words"]["accuracy"], 1 / 3, ">= 0.50",
              three["accuracy"] >= 0.50,
              f"interval: range of the folds; control {three['control']:.3f}; before the answer "
              f"{pre3['accuracy']:.3f}; correct / HK+ {pair['accuracy']:.3f} after, {early['accuracy']:.3f} before; "
              "baseline: words of question and answer; "
              f"places {three['places']}"),
    ]  # fmt: skip


def alike(found: dict[str, Any]) -> list[Claim]:
    """SmolLM2 and Gemma."""
    if "missing" in found:
        return [Claim("two models know much of the same", "Jaccard of known questions, SmolLM2 and Gemma-3-270M",
                      "0.6 NQ, 0.8 TriviaQA (paper)", None, note=found["missing"])]  # fmt: skip
    values = found["values"]
    low, high = found["known interval"]
    about = f"{values['questions']} questions, known {values['known']}, shared {values['shared']}"
    return [
        Claim("two models know much of the same", "Jaccard of known questions, SmolLM2 and Gemma-3-270M",
              "0.6 NQ, 0.8 TriviaQA (paper)", values.get("known_jaccard"), (low, high),
              chance=values.get("chance_known_jaccard"), note=f"{about}; labels {found['counts']}"),
        Claim("but err on different questions", "Jaccard of HK+ within the shared questions",
              "0.8-0.95, which behaves like agreement (paper)", values.get("error_jaccard"),
              chance=values.get("chance_error_jaccard"), note=f"errors {values['errors']} of {values['shared']} shared"
              + ("" if "error_jaccard" in values else "; neither errs on a shared question, so there is no figure")),
        Claim("although their labels agree", "share of shared questions with the same label", "0.8-0.95 (paper)",
              values.get("agreement"), chance=values.get("chance_agreement"),
              note="agreement, not overlap: high wherever errors are rare"),
    ]  # fmt: skip


# -- records -------------------------------------------------------------------------------------------------------


def _all(seeds: Sequence[dict[str, Any]], what: str, train: str) -> list[dict[str, Any]]:
    return [each[what][train] for each in seeds]


def _each(scores: Sequence[dict[str, Any]]) -> list[float]:
    return [value for one in scores for value in one["each"]]


def _interval(scores: Sequence[dict[str, Any]]) -> Interval:
    """Over all folds of all seeds, folds of a seed resampled together where there are several seeds."""
    values = _each(scores)
    clusters = [number for number, one in enumerate(scores) for _ in one["each"]]
    return t_interval(values, clusters=clusters if len(scores) > 1 else None)


def _baseline(seeds: Sequence[dict[str, Any]], name: str) -> float:
    return float(np.mean([each["baselines"][name]["accuracy"] for each in seeds]))


def _places(scores: Sequence[dict[str, Any]]) -> str:
    return ", ".join(place for one in scores for place in one["places"])


def _by_place(seeds: Sequence[dict[str, Any]]) -> str:
    names = [row["place"] for row in seeds[0]["layers"]]
    means = {name: float(np.mean([row["mean"] for each in seeds for row in each["layers"] if row["place"] == name]))
             for name in names}  # fmt: skip
    best = max(means, key=lambda name: means[name])
    return f"{best} {means[best]:.3f}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
