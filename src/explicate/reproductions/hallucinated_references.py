"""Hallucinated references (arXiv 2305.18248): does a model contradict itself about a reference that it made up?

Four layers: a scripted librarian, whose knowledge is written down; a small decoder that has read a made-up
bibliography, so that what it can know is known; SmolLM2-135M on famous and on invented books; and the published answers
of GPT-4, GPT-3.5-turbo and text-davinci-003, scored again where their files are supplied.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from explicate.benchmarks.references import TitleIndex, detection, generate_references, label, read_published
from explicate.data.language import bibliography as world
from explicate.data.language.books import INVENTED, famous_books
from explicate.data.language.references import Reference, references_in
from explicate.errors import MissingDependencyError
from explicate.models.chat import LocalChat
from explicate.models.tiny import bibliography as tiny
from explicate.rationales import ReferenceChecker, ReferenceCompletions, ReferencePrompts
from explicate.rationales.author_lists import author_names
from explicate.rationales.scripted_librarian import librarian
from explicate.reproductions import hallucinated_references_claims as judged
from explicate.reproductions.chats import zoo_chat
from explicate.reproductions.claims import Claim, Context
from explicate.runtime.files import cache_folder
from explicate.runtime.fingerprint import digest
from explicate.runtime.runner import run
from explicate.runtime.seeds import generator

PUBLISHED = ("gpt-4", "gpt-3.5-turbo", "text-davinci-003")
PROMPTS = ReferencePrompts(
    generate=world.REFERENCES,
    authors=world.AUTHORS,
    exists=world.EXISTS,
    famous=world.FAMOUS,
    quoted="{title}",
    above=world.ABOVE,
    listed=world.LISTED,
    yes=("yes",),
    no=("no",),
    line=world.LINE,
)
LONGEST = {"authors": 13, "answer": 2, "list": 60, "completion": 10}
SIZES: dict[str, dict[str, Any]] = {
    "full": {"works": 300, "shape": [4, 192, 768], "rate": 1e-3, "batch": 8, "greedy": 60, "direct": 100, "topics": 60,
             "books": 60, "lists": 300},
    "smoke": {"works": 24, "shape": [2, 64, 128], "rate": 4e-3, "batch": 2, "greedy": 8, "direct": 10, "topics": 10,
              "books": 0, "lists": 40},
}  # fmt: skip


def reproduce(context: Context) -> Sequence[Claim]:
    """The librarian, the reader of a bibliography, SmolLM2, and the published answers."""
    size = SIZES[context.scale]
    units: list[dict[str, Any]] = [
        {"part": part, "seed": seed, "scale": context.scale}
        for part in ("librarian", "bibliography")
        for seed in context.seeds
    ]
    if size["books"]:
        units += [{"part": "smollm2", "seed": seed, "scale": context.scale} for seed in context.seeds]
        units += [{"part": "published", "model": model, "file": _supplied(model)} for model in PUBLISHED]
    done = run(
        _work,
        units,
        context.folder / f"hallucinated-references-{context.scale}",
        name=f"hallucinated-references-{context.scale}",
        spec={**size, "version": 1},
        workers=context.workers,
        backend=context.backend,  # type: ignore[arg-type]
    )
    found = [{**unit, **record} for unit, record in zip(units, done.records, strict=True)]
    parts = ("librarian", "bibliography", "smollm2", "published")
    return judged.claims({part: [one for one in found if one["part"] == part] for part in parts})


def published_file(model: str) -> Path:
    """Where the published answers of a model are looked for: a folder in the user's cache."""
    return cache_folder("published", "hallucinated-references") / f"{model}_results.csv"


def _supplied(model: str) -> str | None:
    path = published_file(model)
    return digest(path.read_text(encoding="utf-8")) if path.exists() else None


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {"librarian": _librarian, "bibliography": _bibliography, "smollm2": _smollm2, "published": _published}
    return parts[unit["part"]](unit)


# -- a scripted librarian ---------------------------------------------------------------------------------------------


def _librarian(unit: dict[str, Any]) -> dict[str, Any]:
    """It knows sixty books by heart, and makes up the authors of sixty others."""
    given = _listed([*famous_books(), *INVENTED], unit["seed"])
    references = label(given, TitleIndex(famous_books()))
    return _areas(references, ReferenceChecker(librarian()).explain(references, seed=unit["seed"]))


def _listed(titles: Sequence[str], seed: int) -> list[Reference]:
    """References that stood in lists of five, at random."""
    order = generator(seed, "lists").permutation(len(titles))
    found = []
    for start in range(0, len(titles), 5):
        shown = [titles[int(place)] for place in order[start : start + 5]]
        found += references_in("\n".join(f"{place}. {title}" for place, title in enumerate(shown, 1)), "books")
    return found


def _areas(references: Sequence[Reference], found: Any) -> dict[str, Any]:
    """Area with its interval, means and yes-rate of every score, and what the errors of IQ are."""
    measured = detection(references, found)
    record: dict[str, Any] = {"references": len(measured.titles), "invented": measured.invented_share.value}
    for one in measured.detectors:
        record[one.name] = {
            "auc": [one.auc.value, one.auc.low, one.auc.high] if one.auc else None,
            "means": [one.on_real, one.on_invented],
            "yes": one.yes_rate,
        }
    if "IQ" in measured.scores and measured.detector("IQ").auc is not None:
        missed, taken = measured.errors("IQ")
        record["errors"] = {"missed": len(missed), "taken": len(taken), "examples": [missed[:3], taken[:3]]}
    return record


# -- a reader of a bibliography ---------------------------------------------------------------------------------------


def _bibliography(unit: dict[str, Any]) -> dict[str, Any]:
    """What a decoder that has read a bibliography recalls, and what repeated questions tell of it."""
    size, seed = SIZES[unit["scale"]], unit["seed"]
    count = size["works"]
    known = world.bibliography(seed, count, count, count)
    shape = tiny.decoder(*size["shape"])
    model = tiny.trained(known, seed, shape=shape, batch=size["batch"], learning_rate=size["rate"], lists=size["lists"])
    chat = LocalChat(model, template="plain", cache=False)
    record: dict[str, Any] = {"parameters": int(sum(p.numel() for p in model.module.parameters()))}
    for name, works in (("well_known", known.well_known), ("rare", known.rare)):
        asked = [PROMPTS.asked("authors", title=work.title) for work in works]
        said = [reply.text.strip() for reply in chat.replies(asked, max_new_tokens=LONGEST["authors"])]
        record[f"recall_{name}"] = float(np.mean([one == work.names for one, work in zip(said, works, strict=True)]))
    groups = {
        "well_known": [Reference(work.title, grounded=True) for work in known.well_known],
        "rare": [Reference(work.title, grounded=True) for work in known.rare],
        "recombined": [Reference(title, grounded=False) for title in known.recombined],
    }
    checker = ReferenceChecker(
        chat, overlap="names", prompts=PROMPTS, queries=("IQ",),
        max_new_tokens=LONGEST["authors"], direct_tokens=LONGEST["answer"],
    )  # fmt: skip
    found = {name: checker.explain(group, seed=seed) for name, group in groups.items()}
    iq = {name: one["score"].sel(detector="IQ").values for name, one in found.items()}
    answered = {
        name: np.array([float(bool(author_names(str(text)))) for text in one["author_reply"].values[:, 0]])
        for name, one in found.items()
    }
    for name in ("well_known", "rare"):
        references = [*groups[name], *groups["recombined"]]
        for what, scores in (("IQ", iq), ("answered", answered)):
            values = {what: np.concatenate([scores[name], scores["recombined"]])}
            record[f"{what}_{name}"] = _areas(references, values)
    record["greedy"] = _greedy(checker, groups, size["greedy"], seed)
    record["direct"] = _direct(checker, known, size["direct"], seed)
    record["generated"] = _generated(checker, known, size["topics"], seed)
    return record


def _greedy(checker: Any, groups: dict[str, list[Reference]], count: int, seed: int) -> dict[str, Any]:
    """The same without draws: whether it warns, and what the overlaps would give."""
    references = groups["well_known"][:count] + groups["recombined"][:count]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = type(checker)(**{**vars(checker), "temperature": 0.0}).explain(references, seed=seed)
    overlaps = {"overlap": found["overlap"].values.mean(axis=1)}
    return {
        "warned": any("IQ is undefined" in str(one.message) for one in said),
        "undefined": bool(np.isnan(found["score"].values).all()),
        "equal": float((found["author_reply"].values == found["author_reply"].values[:, :1]).mean()),
        **_areas(references, overlaps),
    }


def _direct(checker: Any, known: world.Bibliography, count: int, seed: int) -> dict[str, Any]:
    """All queries, on titles whose existence was never told."""
    told = len(world.asked_in_training(known)[0])
    titles = [*(work.title for work in known.well_known[told : told + count]), *known.recombined[:count]]
    references = label(_listed(titles, seed), TitleIndex(work.title for work in known.works))
    options = {"queries": ("IQ", "DQ1", "DQ2", "DQ3")}
    return _areas(references, type(checker)(**{**vars(checker), **options}).explain(references, seed=seed))


def _generated(checker: Any, known: world.Bibliography, count: int, seed: int) -> dict[str, Any]:
    """Titles that the decoder itself gives on its topics; no areas where nearly all or none of them exist."""
    topics = sorted({work.topic for work in known.well_known})[:count]
    given = generate_references(checker.chat, topics, seed=seed, prompts=PROMPTS, max_new_tokens=LONGEST["list"])
    record: dict[str, Any] = {"titles": len(given.references), "short": len(given.short)}
    if not given.references:
        return record
    references = label(given.references, TitleIndex(work.title for work in known.works))
    invented = sum(not one.grounded for one in references)
    record["share"] = invented / len(references)
    if min(invented, len(references) - invented) >= 10:
        record |= _areas(references, checker.explain(references, seed=seed))
    return record


# -- SmolLM2 ----------------------------------------------------------------------------------------------------------


def _smollm2(unit: dict[str, Any]) -> dict[str, Any]:
    """Famous and invented books; direct queries are asked once, by the probability of yes, since it draws nothing."""
    count = SIZES[unit["scale"]]["books"]
    try:
        chat = zoo_chat(template="plain")
    except MissingDependencyError as error:
        return {"missing": str(error)}
    titles = [*list(famous_books())[:count], *INVENTED[:count]]
    references = label(_listed(titles, 0), TitleIndex(famous_books()))
    checker = ReferenceChecker(
        chat, overlap="names", direct="first-token", prompts=ReferenceCompletions(),
        queries=("IQ", "DQ1", "DQ2", "DQ3") if unit["seed"] == 0 else ("IQ",), max_new_tokens=LONGEST["completion"],
    )  # fmt: skip
    return _areas(references, checker.explain(references, seed=unit["seed"]))


# -- the published answers --------------------------------------------------------------------------------------------


def _published(unit: dict[str, Any]) -> dict[str, Any]:
    """Areas from the stored scores, and again from the raw answers; every row counts, as published."""
    path = published_file(unit["model"])
    if not path.exists():
        return {"missing": f"put {path.name} of the paper's repository into its folder in the cache"}
    found = read_published(path)
    record: dict[str, Any] = {"rows": len(found), "unread": found.unread, "filtered": found.filtered}
    for name, scores in (("stored", found.stored_scores()), ("again", found.scores())):
        measured = detection(found.references, scores, keep_duplicates=True)
        record["invented"] = measured.invented_share.value
        record[name] = {
            one.name: [one.auc.value, one.auc.low, one.auc.high] for one in measured.detectors if one.auc is not None
        }
        record["means"] = [measured.detector("IQ").on_real, measured.detector("IQ").on_invented]
    once = detection(found.references, found.scores())
    record["once"] = {"references": len(once.titles), "IQ+DQ": once.detector("IQ+DQ").auc.value}  # type: ignore[union-attr]
    record["fdr"] = {name: [once.fdr(name).at(kept) for kept in (0.25, 0.5)] for name in ("IQ", "DQ", "IQ+DQ")}
    return record
