"""Which answers a model does not know, and which it knows and still gets wrong.

Source: Simhi et al. (2024), "Distinguishing Ignorance from Error in LLM Hallucinations", arXiv 2410.22071, section 3.
The published code also draws its samples with two beams; here each token is drawn by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from explicate.benchmarks.wack.asking import Cache, answers
from explicate.benchmarks.wack.dataset import Label, WackDataset, WackRecord
from explicate.benchmarks.wack.items import ALONE_BELOW, Item, Items, answer_tokens, hit, prepare
from explicate.benchmarks.wack.settings import BadShots, Setting, good_of, name_of, prompts
from explicate.errors import InputError

Question = Item | tuple[str, str]


@dataclass(frozen=True)
class Labeller:
    """Label questions for one model.

    Knowledge is tested after good examples, by a greedy answer and `samples` drawn ones. Without a hit the model does
    not know (HK-); if all are hits it knows, and is asked again in the altered setting: a hit is correct, a miss HK+.
    What lies between is "middle", kept but not used in experiments.

    Parameters
    ----------
    setting : the altered setting; any function from an item to what stands before its question.
    good : the setting of the knowledge test; None shows the same examples with their right answers.
    samples, temperature : of the drawn answers.
    new_tokens : of each answer. stop : texts that end one; none in the paper, where an answer may run into the next
        question.
    longest, most : see `prepare`.
    alone_below : gold answers of fewer characters must stand alone to count.
    seed : of what is drawn: items, and samples.
    """

    setting: Setting = field(default_factory=BadShots)
    good: Setting | None = None
    samples: int = 5
    temperature: float = 0.5
    new_tokens: int = 5
    stop: tuple[str, ...] = ()
    longest: int = 5
    most: int = 30_000
    alone_below: int = ALONE_BELOW
    seed: int = 42

    def __post_init__(self) -> None:
        if self.samples and not self.temperature > 0:
            raise InputError(
                f"{self.samples} samples at temperature {self.temperature} are one test of knowledge; give more than 0"
            )

    @property
    def tests(self) -> int:
        """Answers that knowledge is tested by."""
        return 1 + self.samples

    def label(self, model: Any, items: Iterable[Question], *, source: str = "", cache: Cache = True) -> WackDataset:
        """Label `items` for `model`, any `Generator`: a language model, or a chat model of which nothing else is known.

        Parameters
        ----------
        items : questions with gold answers; see `prepare` for which are dropped.
        source : where they are from, for tables and file names.
        cache : where generations are kept; see `answers`.
        """
        chosen = items if isinstance(items, Items) else self.prepared(model, items)
        if not len(chosen):
            raise InputError(f"no question can be asked; dropped were {chosen.dropped}")
        good = self.good or good_of(self.setting)
        how: dict[str, Any] = {"new_tokens": self.new_tokens, "stop": self.stop, "cache": cache}
        tested = answers(
            model,
            prompts(good, chosen, model),
            samples=self.samples,
            temperature=self.temperature,
            seed=self.seed,
            label="testing knowledge",
            **how,
        )
        hits = [sum(hit(item.golds, text, self.alone_below) for text in texts)
                for item, texts in zip(chosen, tested, strict=True)]  # fmt: skip
        altered = prompts(self.setting, chosen, model)
        asked = [place for place, count in enumerate(hits) if count in (0, self.tests)]
        told = answers(model, [altered[place] for place in asked], label=f"asking after {name_of(self.setting)}", **how)
        answer = dict(zip(asked, (texts[0] for texts in told), strict=True))
        shots = getattr(self.setting, "shots", None)
        records = []
        for place, item in enumerate(chosen):
            own = answer.get(place)
            right = own is not None and hit(item.golds, own, self.alone_below)
            records.append(
                WackRecord(
                    item=item,
                    label=label_of(hits[place], self.tests, right),
                    count_knowledge=hits[place],
                    prompt=altered[place],
                    answer=own,
                    tests=tuple(tested[place]),
                    fold=0 if shots is None else shots.fold(item),
                    gold_tokens=_ids(model, item.gold),
                )
            )
        fingerprint = model.fingerprint() if hasattr(model, "fingerprint") else ""
        about: dict[str, Any] = {"source": source, "fingerprint": fingerprint, "tests": self.tests}
        about |= {"dropped": chosen.dropped, "flagged": chosen.flagged}
        return WackDataset(tuple(records), model.name, name_of(self.setting), **about)

    def prepared(self, model: Any, items: Iterable[Question]) -> Items:
        """The items that can be asked."""
        return prepare(items, model, longest=self.longest, most=self.most, seed=self.seed, alone_below=self.alone_below)


def label_of(hits: int, tests: int, right: bool) -> Label:
    """The label of an item with so many hits of `tests`; `right`: the answer in the altered setting is a hit."""
    if not 0 <= hits <= tests:
        raise InputError(f"{hits} hits of {tests} tests cannot be")
    if hits == 0:
        return "HK-"
    if hits < tests:
        return "middle"
    return "correct" if right else "HK+"


def recovered(dataset: WackDataset, truth: dict[str, Label], label: Label) -> tuple[float, float]:
    """Share of the true ones that got `label`, and share of those labelled so that are true (recall, precision).

    Parameters
    ----------
    truth : the true label of each question. A share of nothing is 0.
    """
    given = {record.item.question for record in dataset if record.label == label}
    true = {question for question in truth if truth[question] == label}
    both = len(given & true)
    return both / max(1, len(true)), both / max(1, len(given))


def _ids(model: Any, answer: str) -> tuple[int, ...]:
    return tuple(each for each in answer_tokens(model, answer) if isinstance(each, int))


def sheet(dataset: WackDataset, label: Label = "HK+", count: int = 50) -> list[dict[str, str]]:
    """The first `count` records with a label, as rows to be judged by hand: is the answer wrong after all?"""
    return [
        {"question": each.item.question, "gold": " | ".join(each.item.golds), "answer": (each.answer or "").strip()}
        for each in dataset.of(label)[:count]
    ]


def late_hits(
    model: Any, records: Sequence[WackRecord], *, new_tokens: int = 20, stop: Sequence[str] = (),
    alone_below: int = ALONE_BELOW, cache: Cache = True,
) -> list[WackRecord]:  # fmt: skip
    """Those records whose answer contains a gold answer when it may be longer: correct, and no error."""
    told = answers(model, [each.prompt for each in records], new_tokens=new_tokens, stop=stop, cache=cache)
    return [each for each, texts in zip(records, told, strict=True) if hit(each.item.golds, texts[0], alone_below)]
