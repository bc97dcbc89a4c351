"""explicate demo."""

from __future__ import annotations

from pathlib import Path

from explicate.cli.app import Backend, Json, Out, Resume, Seed, Workers, app, say


@app.command()
def demo(
    seed: Seed = 0,
    workers: Workers = 2,
    backend: Backend = "processes",
    resume: Resume = True,
    out: Out = Path("explicate-out/demo"),
    as_json: Json = False,
) -> None:
    """Explain three real models on real inputs, check each explanation, and write one report (no network needed).

    A gradient-boosted credit model on Adult, EfficientNet-Lite0 on a picture of a cat, and SmolLM2-135M on two texts.
    """
    from explicate.demo import run

    result = run(out, seed=seed, workers=workers, backend=backend, resume=resume)  # type: ignore[arg-type]
    say(
        {"report": str(result.report), "explanations": [str(p) for p in result.explanations], "found": result.summary},
        [*result.summary, f"report: {result.report}"],
        as_json,
    )
