"""The part of `successor_heads` on language models as they are, in which no head counts well enough."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np

from explicate.core.sites import Site
from explicate.data.language.succession import SuccessionDataset
from explicate.errors import MissingDependencyError
from explicate.mechanisms.succession import direct_losses, recurrence, winning_cases, winning_heads
from explicate.models import zoo

MODELS = {"smollm2": "smollm2-135m", "gemma": "gemma-3-270m"}


def real_model(name: str, sizes: dict[str, Any]) -> dict[str, Any]:
    """Scores of every head in the states that `sizes` names, and for SmolLM2 what its best head does on text."""
    try:
        model = zoo.load(MODELS[name])
    except MissingDependencyError as error:
        return {"missing": str(error)}
    words = SuccessionDataset.build(model)
    table = recurrence({name: model}, {name: words}, states=sizes["states"])
    best = table.loc[table["score"].idxmax()]
    record: dict[str, Any] = {
        "table": [
            [
                row.state,
                row.head,
                *(round(float(getattr(row, name)), 3) for name in ("score", "copying", "predecessor")),
            ]
            for row in table.itertuples()
        ],
        "head": str(best["head"]),
        "score": [float(best[name]) for name in ("score", "low", "high")],
        "runner up": float(best["runner_up_score"]),
        "chance": float(best["chance"]),
        "words": int(best["words"]),
        "skipped": list(words.skipped),
        "numbers": max((len(task.items) for task in words.tasks if task.name == "numbers"), default=0),
    }
    if sizes["prefixes"] and name == "smollm2":
        record["text"] = _on_passages(model, Site.parse(record["head"]), sizes)
    return record


def _on_passages(model: Any, head: Site, sizes: dict[str, Any], length: int = 64) -> dict[str, Any]:
    """Winning cases of the best head on running text: the descriptions of scikit-learn's data sets."""
    folder = files("sklearn.datasets.descr")
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".rst"))
    encoded = [model.encode(folder.joinpath(name).read_text("utf-8"))[0] for name in names]
    ids = np.concatenate(encoded)
    starts = np.linspace(0, len(ids) - length - 1, sizes["texts"]).astype(int)
    texts = np.stack([ids[start : start + length] for start in starts])
    positions = tuple(range(length // sizes["prefixes"] - 2, length - 1, length // sizes["prefixes"]))
    effects = direct_losses(model, texts, positions=positions, reference=texts)
    cases = winning_cases(model, texts, effects, head)
    lists = [f"{n}. pear {n + 1}. lamp {n + 2}. bread {n + 3}. horse {n + 4}" for n in range(1, 6)]
    layers, heads = winning_heads(direct_losses(model, lists, positions=(-2,), reference=texts[:16]))
    return {
        "prefixes": cases.prefixes,
        "won": len(cases.samples),
        "shares": cases.shares if cases.labels else {},
        "lists won": int(((layers == head.layer) & (heads == head.head)).sum()),
        "lists": len(lists),
    }
