"""What to do about a wrong answer, by its kind: look it up (or say nothing), or help the model to what it knows.

Source: Simhi et al. (2024), arXiv 2410.22071, section 1: ignorance calls for another source of knowledge, an error
despite knowledge can be mended inside the model, or by asking in another way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from explicate.benchmarks.wack.asking import Cache, answers
from explicate.benchmarks.wack.dataset import PROBED, Label, WackDataset, WackRecord
from explicate.benchmarks.wack.detection import Examples, ProbePlan, StateProbe, chosen, detect, held_out
from explicate.benchmarks.wack.items import hit
from explicate.benchmarks.wack.labelling import Labeller
from explicate.benchmarks.wack.settings import Setting, good_of, prompts
from explicate.benchmarks.wack.states import Place, States
from explicate.core.kinds import Direction
from explicate.errors import InputError
from explicate.mechanisms.steering import read_directions, steer

if TYPE_CHECKING:
    import pandas as pd

Action = Literal["keep", "intervene", "abstain"]
ACTIONS: dict[Label, Action] = {"correct": "keep", "HK+": "intervene", "HK-": "abstain"}
STRENGTHS = (0.25, 0.5, 1.0, 1.5)


@dataclass(frozen=True, eq=False)
class Router:
    """Decides by a probe, from states before the answer: keep it, intervene, or abstain and ask another source.

    Parameters
    ----------
    probe : tells "correct", "HK+" and "HK-" apart.
    """

    probe: StateProbe

    def route(self, states: States) -> list[Action]:
        """An action for each text."""
        return [ACTIONS[label] for label in self.probe.predict(states)]


class Remedy(Protocol):
    """Answers questions again, so that what the model knows comes out."""

    @property
    def name(self) -> str: ...

    def answer(self, model: Any, records: Sequence[WackRecord], how: Labeller, cache: Cache = True) -> list[str]:
        """A new answer to each record."""
        ...


@dataclass(frozen=True)
class AskAgain:
    """Ask without the altered setting, after good examples."""

    good: Setting
    name: str = "ask again"

    def answer(self, model: Any, records: Sequence[WackRecord], how: Labeller, cache: Cache = True) -> list[str]:
        texts = prompts(self.good, [record.item for record in records], model)
        return [told[0] for told in answers(model, texts, new_tokens=how.new_tokens, stop=how.stop, cache=cache)]


@dataclass(frozen=True, eq=False)
class SteerAnswer:
    """Add a direction to the stream at the last token of the prompt, and at new ones.

    Parameters
    ----------
    direction : from states of errors to states of correct answers; see `towards_correct`.
    strength : 1 adds the difference of the means.
    """

    direction: Direction
    strength: float = 1.0
    name: str = "steer"

    def answer(self, model: Any, records: Sequence[WackRecord], how: Labeller, cache: Cache = True) -> list[str]:
        texts = [record.prompt for record in records]
        at_last = steer(self.direction, self.strength, tokens="last", model=model)
        at_new = steer(self.direction, self.strength, tokens="new", model=model)
        with model.intervene(at_last, at_new):
            return [told[0] for told in answers(model, texts, new_tokens=how.new_tokens, stop=how.stop, cache=cache)]


def towards_correct(model: Any, records: Sequence[WackRecord], layer: int) -> Direction:
    """mean(correct) - mean(HK+) of the residual stream after `layer`, at the last token before the answer."""
    texts = {label: [each.prompt for each in records if each.label == label] for label in ("correct", "HK+")}
    if not texts["correct"] or not texts["HK+"]:
        raise InputError("a direction towards correct answers needs records labelled correct and HK+")
    return read_directions(model, texts["correct"], texts["HK+"], how="difference-of-means", sites="resid_post",
                           layers=layer)  # fmt: skip


def treated(
    model: Any, records: Sequence[WackRecord], actions: Sequence[Action], remedy: Remedy, how: Labeller,
    cache: Cache = True,
) -> list[dict[str, Any]]:  # fmt: skip
    """What becomes of each label under a routing; a row a label, and one for all.

    Columns: label, n, kept, intervened, abstained (shares), before (share right as the model answers by itself), after
    (share right; an abstention is not), wrong (share wrong after), always (share right if all were treated).
    """
    told = remedy.answer(model, records, how, cache) if records else []
    right = np.array([_right(each, each.answer or "", how) for each in records], dtype=bool)
    mended = np.array([_right(each, text, how) for each, text in zip(records, told, strict=True)], dtype=bool)
    taken = np.array(actions)
    after = np.where(taken == "keep", right, np.where(taken == "intervene", mended, False))
    wrong = (taken != "abstain") & ~after
    labels = np.array([record.label for record in records])
    rows = []
    for label in (*PROBED, "all"):
        own = labels == label if label != "all" else np.ones(len(records), dtype=bool)
        if not own.any():
            continue
        shares = {f"{name}": float((taken[own] == action).mean()) for name, action in
                  (("kept", "keep"), ("intervened", "intervene"), ("abstained", "abstain"))}  # fmt: skip
        scores = {"before": right, "after": after, "wrong": wrong, "always": mended}
        means = {name: float(values[own].mean()) for name, values in scores.items()}
        rows.append({"label": label, "n": int(own.sum()), **shares, **means})
    return rows


def mitigate(
    model: Any,
    dataset: WackDataset,
    examples: Examples,
    *,
    how: Labeller = Labeller(),
    good: Setting | None = None,
    plan: ProbePlan = ProbePlan(),
    strengths: Sequence[float] = STRENGTHS,
    cache: Cache = True,
) -> pd.DataFrame:
    """Learn a router and a direction on some questions, and treat the others.

    The place, the probe, the direction and its strength come from training questions; the others are treated once.

    Parameters
    ----------
    examples : states before the answer of the records with labels correct, HK+ and HK-, as `specific_examples` gives
        them.
    good : the setting for asking again; by default good examples of the altered setting's own.

    Returns
    -------
    The rows of `treated`, with remedy ("ask again", "steer"), seed, layer and strength.
    """
    import pandas as pd

    records = dataset.of(*PROBED)
    if [each.item.question for each in records] != list(examples.questions):
        raise InputError("the states are not those of the data set's records; take specific_examples(..., 'pre')")
    again = AskAgain(good or how.good or good_of(how.setting))
    places = [Place("resid_post", layer) for component, layer in examples.states.arrays if component == "resid_post"]
    table = chosen(detect(examples, plan=plan, places=places))
    rows: list[dict[str, Any]] = []
    for seed, layer in zip(table["seed"], table["layer"], strict=True):
        train, test = held_out(examples, PROBED, plan, int(seed))
        router = Router(StateProbe.fit(examples.rows(train), Place("resid_post", int(layer)), probe=plan.probe,
                                       fewest=1))  # fmt: skip
        learned = [records[place] for place in np.flatnonzero(train)]
        asked = [records[place] for place in np.flatnonzero(test)]
        actions = router.route(examples.rows(test).states)
        direction = towards_correct(model, learned, int(layer))
        strength = best_strength(model, learned, direction, strengths, how, cache)
        for remedy in (again, SteerAnswer(direction, strength)):
            about = {"remedy": remedy.name, "seed": int(seed), "layer": int(layer), "strength": strength}
            rows += [{**about, **row} for row in treated(model, asked, actions, remedy, how, cache)]
    return pd.DataFrame(rows)


def best_strength(
    model: Any, records: Sequence[WackRecord], direction: Direction, strengths: Sequence[float], how: Labeller,
    cache: Cache = True,
) -> float:  # fmt: skip
    """The strength with the most errors mended less right answers lost among the records; the smallest of equals."""
    own = [record for record in records if record.label in ("correct", "HK+")]
    gains = []
    for strength in sorted(strengths):
        told = SteerAnswer(direction, strength).answer(model, own, how, cache)
        right = [_right(each, text, how) for each, text in zip(own, told, strict=True)]
        parts: dict[str, list[bool]] = {"correct": [], "HK+": []}
        for each, good in zip(own, right, strict=True):
            parts[each.label].append(good)
        gains.append(float(np.mean(parts["HK+"]) - (1 - np.mean(parts["correct"]))))
    return float(sorted(strengths)[int(np.argmax(gains))])


def _right(record: WackRecord, text: str, how: Labeller) -> bool:
    return hit(record.item.golds, text, how.alone_below)
