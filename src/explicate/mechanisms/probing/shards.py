"""Activations of more texts than fit into memory: captured once, a shard at a time, into Arrow files.

A folder holds `activations.json`, which says what of which model and texts it is, and a file a shard: a column a site,
a row a text, memory-mapped when read, so that one site of all texts is read without the others. Texts are taken in
order of their length, so that batches have little padding; readers give them back in their own order. A run that was
killed continues with the first shard that is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from explicate.core.capabilities import Array, Floats, Transparent, require
from explicate.core.sites import Site
from explicate.errors import FileFormatError, InputError, SelectionError, SiteError
from explicate.models.language import tokens
from explicate.models.language.open_model import OpenModel
from explicate.models.language.positions import Handler, Selection
from explicate.runtime.files import make_folder, replacing, write_json
from explicate.runtime.fingerprint import digest
from explicate.runtime.progress import bar

if TYPE_CHECKING:
    import torch

FORMAT = 1
FACTS = "activations.json"
ROWS = 1024
Where: TypeAlias = "int | Sequence[int] | Array | Literal['mean']"
"""Tokens of each text: a number or several (negative from the end), an array (sample, position), or their mean."""


@dataclass(frozen=True)
class Shards:
    """Activations in a folder.

    Attributes
    ----------
    folder : where they are.
    facts : what `activations.json` says: sites with their widths, texts, the model, positions.
    """

    folder: Path
    facts: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> Shards:
        """The activations that `capture_shards` left in a folder."""
        path = Path(folder) / FACTS
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(f"{folder} holds no activations: it has no {FACTS}; run capture_shards") from error
        except ValueError as error:
            raise FileFormatError(f"{path} is no JSON ({error}); delete the folder and capture again") from error
        if facts.get("format") != FORMAT:
            raise FileFormatError(f"{path} has format {facts.get('format')}, this version reads {FORMAT}")
        return cls(Path(folder), facts)

    @property
    def sites(self) -> list[Site]:
        """The captured sites, without positions."""
        return [Site.parse(text) for text in self.facts["sites"]]

    @property
    def positions(self) -> list[Any]:
        """What the position axis holds: token numbers, ["mean"], or column numbers of the array that was given."""
        return list(self.facts["positions"])

    def __len__(self) -> int:
        return int(self.facts["texts"])

    def read(self, site: Site | str) -> Floats:
        """All texts' activations at one site: float32 (sample, position, width), in the texts' own order."""
        if str(site) not in self.facts["sites"]:
            raise SiteError(f"{site} was not captured; captured are {', '.join(self.facts['sites'])}")
        width = self.facts["widths"][self.facts["sites"].index(str(site))]
        found = np.empty((len(self), len(self.positions), width), dtype=np.float32)
        for rows, values in self.parts(site):
            found[rows] = values
        return found

    def parts(self, site: Site | str) -> Iterator[tuple[Array, Floats]]:
        """One shard's row numbers and activations (sample, position, width) after the other."""
        import pyarrow

        for number in range(self.facts["shards"]):
            path = _path(self.folder, number)
            try:
                with pyarrow.memory_map(str(path)) as source:
                    table = pyarrow.ipc.open_file(source).get_batch(0)
                    rows = table.column("row").to_numpy()
                    values = table.column(str(site)).flatten().to_numpy()
                    yield rows.copy(), values.reshape(len(rows), len(self.positions), -1).astype(np.float32)
            except (OSError, KeyError, ValueError, pyarrow.ArrowInvalid) as error:
                raise FileFormatError(f"{path} cannot be read ({error}); delete it and capture again") from error


def capture_shards(
    model: OpenModel,
    inputs: Any,
    sites: Sequence[Site | str],
    folder: str | Path,
    *,
    positions: Where = -1,
    rows: int = ROWS,
    dtype: Literal["float32", "float16"] = "float32",
) -> Shards:
    """Send texts through a model once, and write what its sites held; shards that are there are not made again.

    Parameters
    ----------
    sites : addresses without positions; sites with heads are written head after head, one of their heads alone.
    positions : see `Where`; an array has the tokens of each text by itself.
    rows : texts a shard; so many are held at once.
    dtype : of the files.

    Raises
    ------
    InputError : the folder holds activations of another model, other texts or sites.
    SelectionError : a text is too short for a position.
    """
    require(model, Transparent, "capture_shards")
    ids = model.encode(inputs)
    wanted = [Site.parse(site) for site in sites]
    if not wanted or any(site.positions is not None or site.kind in ("scores", "pattern") for site in wanted):
        raise InputError("capture_shards needs sites with a width, without positions: give positions= for all of them")
    lengths = tokens.lengths_of(ids)
    places, names = _places(positions, lengths)
    order = np.argsort(lengths, kind="stable")
    facts: dict[str, Any] = {
        "format": FORMAT,
        "sites": [str(site) for site in wanted],
        "model": model.name,
        "model_source": model.source,
        "model_fingerprint": model.fingerprint(),
        "inputs_fingerprint": digest(ids),
        "positions": names,
        "positions_fingerprint": digest(places),
        "texts": len(ids),
        "rows": rows,
        "shards": -(-len(ids) // rows),
        "dtype": dtype,
        "layers": model.layer_count,
    }
    place = make_folder(folder)
    if (place / FACTS).exists():
        known = Shards.open(place)
        _same(known.facts, facts, place)
    progress = bar(len(ids), "capturing")
    try:
        for number in range(facts["shards"]):
            own = order[number * rows : (number + 1) * rows]
            path = _path(place, number)
            if not (path.exists() and (place / FACTS).exists()):
                values = _captured(model, ids[own], wanted, None if places is None else places[own], progress)
                if not (place / FACTS).exists():
                    write_json(place / FACTS, {**facts, "widths": [values[site].shape[-1] for site in wanted]})
                _write(path, own, values, dtype)
            else:
                progress.update(len(own))
    finally:
        progress.close()
    return Shards.open(place)


def _captured(
    model: OpenModel, ids: Array, wanted: Sequence[Site], places: Array | None, progress: Any
) -> dict[Site, Floats]:
    """Activations (sample, position, width) at the wanted sites, in the order of the rows."""
    found: dict[Site, Floats] = {}

    def watch(rows: Array) -> dict[Site, Handler]:
        return {site: keeper(site, rows, None if places is None else places[rows]) for site in wanted}

    def keeper(site: Site, rows: Array, columns: Array | None) -> Handler:
        def keep(activation: torch.Tensor, selection: Selection) -> None:
            values = _picked(activation, selection, columns).float().cpu().numpy()
            if site not in found:
                found[site] = np.empty((len(ids), *values.shape[1:]), dtype=np.float32)
            found[site][rows] = values

        return keep

    for rows in model.passes(ids, watch):
        progress.update(len(rows))
    missing = [site for site in wanted if site not in found]
    if missing:
        raise SiteError(f"{missing[0]} is never computed when {model.name!r} runs; name another")
    return {site: found[site] for site in wanted}


def _picked(activation: torch.Tensor, selection: Selection, columns: Array | None) -> torch.Tensor:
    """(sample, [head,] token, width) -> (sample, position, [head *] width); None: the mean over the tokens."""
    import torch

    if activation.ndim == 4:
        activation = activation.transpose(1, 2).flatten(2)
    if columns is None:
        if selection.valid is None:
            return activation.mean(dim=1, keepdim=True)
        share = selection.valid.to(activation.dtype)
        return torch.einsum("stw,st->sw", activation, share / share.sum(dim=1, keepdim=True))[:, None]
    index = torch.as_tensor(columns, device=activation.device)
    return activation[torch.arange(len(index), device=activation.device)[:, None], index]


def _places(positions: Where, lengths: Array) -> tuple[Array | None, list[Any]]:
    """Token numbers (sample, position) from each text's first on, and the positions' names; None for the mean."""
    if isinstance(positions, str):
        if positions != "mean":
            raise InputError(f"positions {positions!r} is unknown; give token numbers, an array, or 'mean'")
        return None, ["mean"]
    given = np.asarray(positions)
    if (
        given.dtype.kind not in "iu"
        or given.ndim > 2
        or given.size == 0
        or (given.ndim == 2 and len(given) != len(lengths))
    ):
        raise InputError(f"positions of shape {given.shape}: give whole numbers, or an array (sample, position)")
    names = np.atleast_1d(given).tolist() if given.ndim < 2 else list(range(given.shape[1]))
    asked = given if given.ndim == 2 else np.broadcast_to(np.atleast_1d(given), (len(lengths), len(names)))
    places = np.where(asked < 0, asked + lengths[:, None], asked)
    outside = (places < 0) | (places >= lengths[:, None])
    if outside.any():
        row, column = (int(i) for i in np.argwhere(outside)[0])
        raise SelectionError(f"text {row} has {lengths[row]} tokens, so it has no position {int(asked[row, column])}")
    return places, names


def _path(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.arrow"


def _write(path: Path, rows: Array, values: dict[Site, Floats], dtype: str) -> None:
    import pyarrow

    columns: dict[str, Any] = {"row": pyarrow.array(rows)}
    for site, array in values.items():
        flat = pyarrow.array(np.ascontiguousarray(array, dtype=dtype).reshape(-1))
        columns[str(site)] = pyarrow.FixedSizeListArray.from_arrays(flat, int(np.prod(array.shape[1:])))
    table = pyarrow.record_batch(columns)
    with replacing(path) as temporary, pyarrow.ipc.new_file(str(temporary), table.schema) as writer:
        writer.write_batch(table)


def _same(known: dict[str, Any], asked: dict[str, Any], folder: Path) -> None:
    for key in ("model_fingerprint", "inputs_fingerprint", "sites", "positions_fingerprint", "rows", "dtype"):
        if known[key] != asked[key]:
            what = key.removesuffix("_fingerprint").replace("_", " ")
            raise InputError(f"{folder} holds activations with other {what}; give another folder, or delete it")
