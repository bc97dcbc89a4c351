"""explicate sweep | steer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from explicate.cli.app import Json, Out, Seed, app, say
from explicate.cli.explaining import ModelText, TargetText
from explicate.cli.inputs import chosen, read_inputs, read_target
from explicate.errors import InputError


@app.command()
def sweep(
    model: ModelText,
    prompt: Annotated[str, typer.Argument(help="A text, or @FILE with one text a line.")],
    source: Annotated[
        str | None,
        typer.Argument(help="What is patched in comes from here: the prompt with the decisive words changed."),
    ] = None,
    target: TargetText = None,
    sites: Annotated[
        str, typer.Option(help="resid_pre, attn_out, mlp_out, head_out, q, k, v, z, pattern, ...")
    ] = "resid_pre",
    layers: Annotated[str | None, typer.Option(help="3, 0:10 or 1,5,9; default: all.")] = None,
    positions: Annotated[str, typer.Option(help="each, all, or token positions such as -1 or 0,4.")] = "each",
    how: Annotated[
        str, typer.Option(help="patch (from SOURCE), zero, or mean and resample (of the lines of SOURCE).")
    ] = "patch",
    into: Annotated[
        str | None,
        typer.Option(help="Path patching: only what each head tells these directly; logits, or L9.q.H6,L9.k.H6."),
    ] = None,
    seed: Seed = 0,
    out: Out = Path("explicate-out"),
    as_json: Json = False,
) -> None:
    """Which parts of a language model do it? Changes place after place; writes the effects (.nc) and a map (.png).

    Example: `explicate sweep smollm2-135m "When John and Mary went to the store, John gave a drink to"
    "When John and Mary went to the store, Mary gave a drink to" --target "Mary|John" --sites head_out --positions -1`
    """
    import numpy as np

    from explicate import mechanisms
    from explicate.models.loading import load_model
    from explicate.runtime.files import make_folder

    handle = load_model(model)
    _language(handle, "sweep")
    prompts = read_inputs(handle, prompt)
    given = None if source is None else read_inputs(handle, source)
    some = None if layers is None else chosen(handle.layer_count, layers, "layers")
    make_folder(out)
    if into is None:
        found = mechanisms.sweep(
            handle, prompts, given, sites=sites.split(","), layers=some, positions=_positions(positions),
            how=how,  # type: ignore[arg-type]
            target=read_target(target), seed=seed,
        )  # fmt: skip
    else:
        if given is None:
            raise InputError("--into needs a second text: the prompt with the decisive words changed")
        at = _positions("-1" if positions == "each" else positions)
        if not isinstance(at, int):
            raise InputError("--into takes one position; give --positions -1, for example")
        found = mechanisms.patch_paths(
            handle, prompts, given, receivers=into.split(","), position=at, layers=some, target=read_target(target)
        )
    file, picture = _kept(found, out, f"{handle.name}-{found.provenance.method}")
    mean = found.values.mean(axis=0)
    order = [np.unravel_index(place, mean.shape) for place in np.argsort(-np.abs(mean), axis=None)[:8]]
    strongest = [(str(found.site_at(place)), float(mean[place])) for place in order]
    base = float(found["base_score"].mean())
    result = {
        "effects": str(file), "picture": str(picture), "base_score": base, "strongest": strongest,
        "forwards": float(found.data.attrs["forwards"]), "seconds": found.provenance.seconds,
    }  # fmt: skip
    lines = [
        found.provenance.summary(),
        f"untouched {base:+.3f}"
        + (f", of the second text {float(found['source_score'].mean()):+.3f}" if "source_score" in found.data else ""),
        *(f"  {site:24} {effect:+.3f}" for site, effect in strongest),
        f"effects: {file}",
        f"picture: {picture}",
    ]
    say(result, lines, as_json)


@app.command()
def steer(
    model: ModelText,
    towards: Annotated[Path, typer.Argument(help="Texts that have it, one a line.")],
    away: Annotated[Path, typer.Argument(help="Texts that lack it, one a line.")],
    prompts: Annotated[str, typer.Argument(help="What the model goes on with: a text, or @FILE.")],
    layer: Annotated[int | None, typer.Option(help="After which layer; default: the middle one.")] = None,
    how: Annotated[
        str, typer.Option(help="paired-difference, difference-of-means, pca, pca-of-differences, mean, ...")
    ] = "difference-of-means",
    strengths: Annotated[str, typer.Option(help="Numbers; 0 is the untouched model.")] = "-1,-0.5,0,0.5,1",
    size: Annotated[float, typer.Option(help="Strength 1 adds so many times the length of the activations.")] = 0.2,
    answers: Annotated[
        str | None, typer.Option(help="Words whose share is followed, the one to turn to first: good|bad.")
    ] = None,
    neutral: Annotated[
        Path | None, typer.Option(help="Texts that have nothing to do with it: what else changes?")
    ] = None,
    tokens: Annotated[int, typer.Option(min=0, help="Tokens written at each strength; 0: none.")] = 20,
    out: Out = Path("explicate-out"),
    as_json: Json = False,
) -> None:
    """Turn a language model along a direction, more and more; writes the direction and its dose-response (.nc, .png).

    Example: `explicate steer smollm2-135m praise.txt blame.txt "The food was very" --answers "good|bad"`
    """
    from explicate.evaluation.dose_response import dose_response
    from explicate.mechanisms import steering
    from explicate.models.loading import load_model
    from explicate.runtime.files import make_folder

    handle = load_model(model)
    _language(handle, "steer")
    given = read_inputs(handle, prompts)
    doses = tuple(sorted(_floats(strengths)))
    make_folder(out)
    place = handle.layer_count // 2 if layer is None else layer
    found = steering.read_directions(
        handle,
        read_inputs(handle, f"@{towards}"),
        read_inputs(handle, f"@{away}"),
        how=how,  # type: ignore[arg-type]
        layers=place,
    )
    direction = found.relative(size)
    words = None if answers is None else answers.split("|")
    response = dose_response(
        handle,
        given,
        direction,
        doses,
        answers=words,
        correct=None if words is None else words[:1] * len(given),
        neutral=() if neutral is None else read_inputs(handle, f"@{neutral}"),
    )
    stem = f"{handle.name}-{direction.provenance.method}-{towards.stem}"
    kept = direction.save(out / f"{stem}.nc".replace("/", "-"))
    file, picture = _kept(response, out, f"{handle.name}-{response.provenance.method}-{towards.stem}")
    written = {}
    for dose in doses if tokens else ():
        with handle.intervene(steering.steer(direction, dose)):
            written[f"{dose:+g}"] = handle.generate(given, max_new_tokens=tokens)
    table = response.to_frame()
    result = {
        "direction": str(kept), "response": str(file), "picture": str(picture), "written": written,
        "table": table.to_dict(orient="records"), "seconds": response.provenance.seconds,
    }  # fmt: skip
    lines = [
        direction.provenance.summary(),
        table[[name for name in table if "variance" not in name and "median" not in name]]
        .round(3)
        .to_string(index=False),
        *(f"  {dose:>5}  {texts[0]!r}" for dose, texts in written.items()),
        f"direction: {kept}",
        f"response:  {file}",
        f"picture:   {picture}",
    ]
    say(result, lines, as_json)


def _language(model: Any, command: str) -> None:
    from explicate.models.language import LanguageModel

    if not isinstance(model, LanguageModel):
        raise InputError(f"explicate {command} changes language models whose weights are here; {model.name!r} is none")


def _kept(found: Any, out: Path, name: str) -> tuple[Path, Path]:
    from explicate.runtime.files import replacing

    stem = name.replace("/", "-").replace(" ", "-")
    file = found.save(out / f"{stem}.nc")
    with replacing(out / f"{stem}.png") as temporary:
        found.plot().figure.savefig(temporary, dpi=130, bbox_inches="tight", format="png")
    return file, out / f"{stem}.png"


def _positions(text: str) -> Any:
    if text in ("each", "all"):
        return text
    found = [int(part) for part in _floats(text)]
    return found[0] if len(found) == 1 else found


def _floats(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(f"{text!r} is no list of numbers; write 1,5,9") from error
