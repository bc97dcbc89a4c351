"""The image: EfficientNet-Lite0 on a picture of a cat."""

from __future__ import annotations

import numpy as np

from explicate.attribution.integrated_gradients import IntegratedGradients
from explicate.attribution.players import Grid
from explicate.data import picture
from explicate.demo.part import Made, Settings, explained, measured
from explicate.evaluation.beliefs import beliefs
from explicate.evaluation.faithfulness import Deletion, Insertion
from explicate.evaluation.localisation import mask_as_seen
from explicate.evaluation.randomisation import Randomisation
from explicate.models import zoo
from explicate.report import fragments, pictures
from explicate.report.document import Figure, Part, Section, comparison_grid

METHODS = ("gradient", IntegratedGradients(steps=32), "occlusion", "grad-cam", "smooth-grad-cam++")
# Single pixels taken out here and there make noise that no photograph has, whatever the order; regions do not.
REGIONS = Grid(14, 14)
METRICS = (
    Deletion(steps=10, partition=REGIONS),
    Insertion(steps=10, partition=REGIONS),
    "sparseness",
    Randomisation(repeats=1),
)
PICTURES = ("cat", "coffee", "astronaut")


def make(settings: Settings) -> Made:
    """Explain three pictures, the cat first, by five methods, and compare these."""
    model = zoo.load("efficientnet-lite0")
    cat = picture("cat")
    batch = model.encode(cat.pixels)
    best = int(model.predict(batch)[0].argmax())
    probability = float(model.probabilities(batch, np.array([best]))[0])
    comparison = measured(settings, "image", model, [picture(name).pixels for name in PICTURES], METHODS, METRICS, None)
    local = explained(comparison)
    files = [each.save(settings.out / f"image-{each.provenance.method}.nc") for each in local]
    judged = beliefs(comparison)
    mass = np.clip(local[-1].over_pixels()[0], 0, None)
    face = mask_as_seen(model, cat.mask("face"))
    finding = (
        f"image: {model.output_name(best)} (class {best}, probability {probability:.2f}); "
        f"{local[-1].provenance.method} puts "
        f"{mass[face].sum() / mass.sum():.0%} of its map on the cat's face, which is {face.mean():.0%} of the picture"
    )
    card = {
        "model": "EfficientNet-Lite0, ImageNet weights",
        "explained": f"the logit of {model.output_name(best)}",
        "picture": cat.source,
        "licence": cat.licence,
        "fingerprint": model.fingerprint(),
    }
    shown = [
        Figure(fragments.picture(pictures.heat_map(each), each.provenance.method), each.provenance.summary())
        for each in local
    ]
    parts = [
        Part(
            "Where it saw the cat",
            ["The same picture, five methods; the costs are of the three pictures compared below."],
            shown,
        ),
        Part(
            "Methods side by side",
            [
                f"Three pictures ({', '.join(PICTURES)}). Deletion and insertion take regions of 16 x 16 pixels, the "
                "most important first. Randomisation: how alike the map of a network with random weights is; a method "
                "whose map stays the same does not explain this network."
            ],
            grid=comparison_grid(comparison),
        ),
    ]
    return Made(
        Section("An image classifier", card, [finding], parts, judged.lines),
        [finding],
        files,
        "the image model",
        judged.failed,
    )
