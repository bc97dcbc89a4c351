"""Explain more inputs than fit into memory: chunk by chunk, to one Parquet file per chunk, resumable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from explicate.attribution.explainer import Explainer
from explicate.core.kinds import Attribution
from explicate.core.targets import Target
from explicate.runtime.files import make_folder, replacing
from explicate.runtime.progress import bar
from explicate.runtime.seeds import derive_seed


def explain_stream(
    explainer: Explainer, model: Any, chunks: Iterable[Any], *, target: Target = None, seed: int = 0
) -> Iterator[Attribution]:
    """Explain chunk after chunk; one chunk and its explanation are held at a time.

    Parameters
    ----------
    chunks : inputs as the model takes them, for example data frames that a reader hands out.
    target : one output for all samples, or None for the highest score of each.
    seed : each chunk's randomness comes from it and from the chunk's number.
    """
    for number, chunk in enumerate(chunks):
        yield explainer.explain(model, chunk, target=target, seed=derive_seed(seed, number))


def explain_to_parquet(
    explainer: Explainer, model: Any, chunks: Iterable[Any], folder: str | Path, *, target: Target = None, seed: int = 0
) -> list[Path]:
    """Explain chunk after chunk into `folder`/part-00000.parquet and so on; parts that are there are not made again.

    Each part has a row per sample: a column per feature, `score` and, where the method has one, `baseline_score`; the
    provenance is in the file's metadata under "explicate".

    Returns the paths of all parts, in order.
    """
    place = make_folder(folder)
    paths = []
    progress = bar(0, "explaining")
    try:
        for number, chunk in enumerate(chunks):
            path = place / f"part-{number:05d}.parquet"
            if not path.exists():
                _write(explainer.explain(model, chunk, target=target, seed=derive_seed(seed, number)), path)
            paths.append(path)
            progress.update(1)
    finally:
        progress.close()
    return paths


def _write(explanation: Attribution, path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    values = explanation.values.reshape(len(explanation), -1)
    names = (
        explanation.data.coords["feature"].values if "feature" in explanation.data.coords else range(values.shape[1])
    )
    columns = {str(name): values[:, j] for j, name in enumerate(names)}
    columns |= {name: explanation[name].values for name in ("score", "baseline_score") if name in explanation.data}
    table = pyarrow.table(columns)
    about = {**(table.schema.metadata or {}), b"explicate": explanation.provenance.to_json().encode()}
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table.replace_schema_metadata(about), temporary)
