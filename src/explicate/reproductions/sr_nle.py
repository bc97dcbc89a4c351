"""SR-NLE (arXiv 2505.22823): do explanations name what moved the answer once a model has refined them?

Three layers, cheapest first: a scripted model, where the rate after refinement must be one minus the share of edit
words that were fed back; a small decoder that answers by a trigger word, where attributions must find it; and
SmolLM2-135M-Instruct on items of our own in the forms of ComVE and e-SNLI. The paper's models of 7 to 8 billion weights
and its data sets are on no package.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from explicate.data.language.nle_tasks import ChoiceItem, bare, templated_items
from explicate.errors import MissingDependencyError
from explicate.evaluation.nle_counterfactual import (
    counter_items,
    hit_at,
    insert_modifiers,
    unfaithfulness_rate,
)
from explicate.models.language import LanguageModel
from explicate.models.tiny import trigger_language as triggers
from explicate.models.tiny.decoder import Decoder
from explicate.rationales import AttributionFeedback, SelfRefiner
from explicate.rationales.feedback import STOP_WORDS, Asking, RandomWordFeedback, summed, token_sizes
from explicate.rationales.scripted_refiner import scripted
from explicate.rationales.self_refine import answered
from explicate.reproductions import sr_nle_claims as judged
from explicate.reproductions.chats import zoo_chat
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator

ARMS = ("nl", "iw", "aiw_attn", "aiw_ig", "iw_rand")
COMPLETENESS_STEPS = 500
WAYS: dict[str, dict[str, Any]] = {
    "as published": {},
    "baseline zero": {"baseline": "zero"},
    "baseline mean": {"baseline": "mean"},
    "contrast": {"target": "contrast"},
}
"""Of integrated gradients, tried on `TRIED` sentences of their own."""
TRIED = {"full": 60, "smoke": 6}
SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "identity": 200, "sentences": 50_000, "shape": [3, 192, 512], "rate": 1e-3, "held_out": 2000, "counter": 200,
        "steps": 100, "complete": 10, "asked": 24, "edits": 6, "refined": 10, "rounds": 3, "asked_steps": 4,
    },
    "smoke": {
        "identity": 30, "sentences": 150 * 64, "shape": [2, 64, 128], "rate": 3e-3, "held_out": 200, "counter": 30,
        "steps": 16, "complete": 1, "asked": 0, "edits": 0, "refined": 0, "rounds": 1, "asked_steps": 1,
    },
}  # fmt: skip


def reproduce(context: Context) -> Sequence[Claim]:
    """The identity on a scripted model, attributions of a trigger decoder, and SmolLM2 with all kinds of feedback."""
    size = SIZES[context.scale]
    units: list[dict[str, Any]] = [
        {"part": part, "seed": seed} for part in ("identity", "trigger") for seed in context.seeds
    ]
    if size["asked"]:
        units += [{"part": "smollm2", "task": task} for task in ("comve", "esnli")]
    found = by_part(measured(context, "sr-nle", _work, units, size))
    ways = [{"part": "ways", "seed": seed} for seed in context.seeds]
    tried = measured(
        context, "sr-nle", _work, ways, {**size, "ways": WAYS, "tried": TRIED[context.scale]}, stage="ways"
    )
    return judged.claims(found["identity"], found["trigger"], tried, found.get("smollm2", []))


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    works = {"identity": _identity, "trigger": _trigger, "ways": _ways, "smollm2": _smollm2}
    return works[unit["part"]](unit)


# -- a scripted model ----------------------------------------------------------------------------------------------


def _identity(unit: dict[str, Any]) -> dict[str, Any]:
    """Whether each refined explanation names its edit word exactly where that was among the five fed words."""
    items = templated_items("esnli", SIZES[unit["scale"]]["identity"], unit["seed"])
    chat = scripted()
    counter, share, _ = _counter(Asking(chat, 1, 64, unit["seed"]), items, 20, unit["seed"], "text")
    words = [item.edit_word for item in counter]
    found = SelfRefiner(feedback="iw_rand", rounds=1, chat=chat).explain(counter, seed=unit["seed"])
    listed = [[str(word) for word in own if word] for own in found["word"].values]
    hits = hit_at(listed, words, 5)
    before, after = (unfaithfulness_rate(list(found["round_text"].values[:, r]), words, "word") for r in (0, 1))
    return {
        "items": len(counter),
        "counter_rate": share,
        "equal": float((after.named == hits).mean()),
        "hit5": float(hits.mean()),
        "before": before.rate,
        "after": after.rate,
    }


def _counter(
    asking: Asking, items: Sequence[ChoiceItem], count: int, seed: int, by: Any
) -> tuple[list[ChoiceItem], float, list[str]]:
    """Edits that moved the answer, their share of all, and the new answers."""
    edits = [edit for item in items for edit in insert_modifiers(item, count, seed)]
    before = {item.idx: letter for item, (letter, _) in zip(items, answered(asking, items, by), strict=True)}
    after = [letter for letter, _ in answered(asking, edits, by)]
    found = counter_items([before[edit.idx] for edit in edits], after)
    return [edits[place] for place in found.places], found.rate, [str(after[place]) for place in found.places]


# -- a decoder that answers by a trigger -----------------------------------------------------------------------------


def _trigger(unit: dict[str, Any]) -> dict[str, Any]:
    """Accuracy, flips, and where attributions rank the word that moved the answer."""
    size = SIZES[unit["scale"]]
    shape, model = _decoder(unit)
    held_out = triggers.TriggerCorpus().batch(generator(unit["seed"], "held out"), size["held_out"])
    ends = (held_out.ids >= 0).sum(axis=1) - 1
    rows = np.arange(len(ends))
    letters = [triggers.VOCABULARY.index(letter) for letter in triggers.LETTERS]
    truth = held_out.ids[rows, ends]
    asked = np.where(np.arange(held_out.ids.shape[1]) < ends[:, None], held_out.ids, -1)
    accuracy = float((np.array(letters)[model.predict(asked)[:, letters].argmax(axis=1)] == truth).mean())

    rng = generator(unit["seed"], "edits")
    plain = [triggers.plain_sentence(rng) for _ in range(size["counter"])]
    slots = [one.slots()[int(rng.integers(len(one.slots())))] for one in plain]
    picked = {
        what: [known[int(rng.integers(len(known)))] for _ in plain]
        for what, known in (("trigger", triggers.TRIGGERS), ("neutral", triggers.NEUTRAL))
    }
    first = triggers.answers(model, plain)
    edits = {
        what: [one.inserted(word, slot) for one, word, slot in zip(plain, own, slots, strict=True)]
        for what, own in picked.items()
    }
    moved = {what: triggers.answers(model, own) != first for what, own in edits.items()}
    counter = [place for place in range(len(plain)) if moved["trigger"][place]]
    words = [picked["trigger"][place] for place in counter]
    sentences = [edits["trigger"][place] for place in counter]
    given = triggers.answers(model, sentences)
    record: dict[str, Any] = {
        "parameters": int(sum(p.numel() for p in model.module.parameters())),
        "accuracy": accuracy,
        "trigger_flips": float(moved["trigger"].mean()),
        "neutral_flips": float(moved["neutral"].mean()),
        "items": len(counter),
    }
    kinds = {
        "ig": AttributionFeedback("ig", steps=size["steps"]),
        "attention": AttributionFeedback("attention"),
        "attention, all layers": AttributionFeedback("attention", layers="mean"),
    }
    for name, how in kinds.items():
        ranked = [_ranked(model, shape, one, int(answer), how)[0] for one, answer in zip(sentences, given, strict=True)]
        record[name] = {f"hit{k}": hit_at(ranked, words, k).tolist() for k in (1, 5)}
    complete = AttributionFeedback("ig", steps=COMPLETENESS_STEPS)
    record["gaps"] = [
        _ranked(model, shape, one, int(answer), complete)[1]
        for one, answer in zip(sentences[: size["complete"]], given, strict=False)
    ]
    distinct = [list(dict.fromkeys((*one.premise, *one.hypothesis))) for one in sentences]
    shuffled = [
        [own[int(j)] for j in generator(unit["seed"], "random words", own).permutation(len(own))] for own in distinct
    ]
    record["random"] = {f"hit{k}": hit_at(shuffled, words, k).tolist() for k in (1, 5)}
    record["chance"] = {f"hit{k}": [min(1.0, k / len(own)) for own in distinct] for k in (1, 5)}
    return record


def _ways(unit: dict[str, Any]) -> dict[str, Any]:
    """Which word integrated gradients put first, in several ways, with and without stop words."""
    steps = SIZES[unit["scale"]]["steps"]
    shape, model = _decoder(unit)
    rng = generator(unit["seed"], "ways")
    plain = [triggers.plain_sentence(rng) for _ in range(TRIED[unit["scale"]])]
    words = [triggers.TRIGGERS[int(rng.integers(len(triggers.TRIGGERS)))] for _ in plain]
    edits = [
        one.inserted(word, one.slots()[int(rng.integers(len(one.slots())))])
        for one, word in zip(plain, words, strict=True)
    ]
    given = triggers.answers(model, edits)
    record: dict[str, Any] = {}
    for name, options in WAYS.items():
        how = AttributionFeedback("ig", steps=steps, **options)
        ranked = [_ranked(model, shape, one, int(answer), how)[0] for one, answer in zip(edits, given, strict=True)]
        kept = [[word for word in own if word not in STOP_WORDS] for own in ranked]
        record[name] = {
            "all": hit_at(ranked, words, 1).tolist(),
            "kept": hit_at(kept, words, 1).tolist(),
            "the": [own[0] == "the" for own in ranked],
        }
    return record


def _decoder(unit: dict[str, Any]) -> tuple[Decoder, LanguageModel]:
    """The shape, and the decoder trained with the unit's seed."""
    size = SIZES[unit["scale"]]
    shape = triggers.decoder(*size["shape"])
    return shape, triggers.trained(unit["seed"], size["sentences"], shape=shape, learning_rate=size["rate"])


def _ranked(model: Any, shape: Any, sentence: Any, answer: int, how: AttributionFeedback) -> tuple[list[str], float]:
    """The words of premise and hypothesis by importance for the letter of the answer, and the gap of the integral."""
    ids = shape.encode([[*sentence.words, triggers.LETTERS[answer]]])[0]
    sizes, gap = token_sizes(model, ids, [len(ids) - 1], how)
    spans = [(word, (place, place + 1)) for place, word in enumerate(sentence.words) if word not in triggers.MARKS]
    return [word for word, _ in summed(spans, sizes)], gap


# -- SmolLM2 ---------------------------------------------------------------------------------------------------------


def _smollm2(unit: dict[str, Any]) -> dict[str, Any]:
    """Counter items of SmolLM2, and all arms on them; a record without figures where it is not installed."""
    size = SIZES[unit["scale"]]
    try:
        chat = zoo_chat()
    except MissingDependencyError as error:
        return {"missing": str(error)}
    items = templated_items(unit["task"], size["asked"])
    asking = Asking(chat, 1, 16, 0)
    written = [letter for letter, _ in answered(asking, items)]
    counter, rate, letters = _counter(asking, items, size["edits"], 0, "log-probability")
    found = len(counter)
    counter, letters = counter[: size["refined"]], letters[: size["refined"]]
    record: dict[str, Any] = {
        "free_text": float(np.mean([letter is not None for letter in written])),
        "counter_rate": rate,
        "counter": found,
        "refined": len(counter),
        "arms": {},
    }
    if not counter:
        return record
    words = [item.edit_word for item in counter]
    for arm in ARMS:
        feedback = AttributionFeedback("ig", steps=size["asked_steps"]) if arm == "aiw_ig" else arm
        refiner = SelfRefiner(feedback=feedback, rounds=size["rounds"], chat=chat, max_new_tokens=60)
        explained = refiner.explain(counter, letters=list(letters))
        texts = explained["round_text"].values
        own: dict[str, Any] = {"statuses": [str(status) for status in explained["status"].values], "rounds": []}
        for number in range(size["rounds"] + 1):
            shown = [str(text) or None for text in texts[:, number]]
            rates = {match: unfaithfulness_rate(shown, words, match) for match in ("substring", "word")}  # type: ignore[arg-type]
            known = [text is not None for text in shown]
            named = iter(rates["substring"].named.tolist())
            own["rounds"].append(
                {
                    **rates["substring"].to_dict(),
                    "rate_word": rates["word"].rate if rates["word"].valid else None,
                    "named": [next(named) if there else None for there in known],
                }
            )
        if arm != "nl":
            listed = [[str(word) for word in row if word] for row in explained["word"].values]
            own["hit5"] = float(hit_at(listed, words, 5).mean())
            gaps = explained["gap"].values
            own["gap"] = float(np.nanmedian(gaps)) if np.isfinite(gaps).any() else None
        record["arms"][arm] = own
    sizes = [len({bare(word) for word in item.words}) for item in counter]
    record["chance5"] = float(np.mean([min(1.0, 5 / count) for count in sizes]))
    random = RandomWordFeedback().word_scores(asking, counter, letters)
    record["random_hit5"] = float(hit_at([one.top(5) for one in random], words, 5).mean())
    return record
