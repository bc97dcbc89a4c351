"""Smooth Grad-CAM++ (arXiv 1908.01224): where it points, how steady it is, and what it shows on photographs.

The paper judges a handful of pictures by eye and has no tables. Here: rendered shapes whose places are known, a network
in the manner of the paper's VGG-16 (convolutions, then dense layers) trained on them, and photographs with boxes.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from explicate.attribution.cam import CAM, ClassActivation, GradCAM, GradCAMPlusPlus, SmoothGradCAMPlusPlus
from explicate.attribution.cam.maps import scaled
from explicate.attribution.gradient import SmoothGrad
from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Attribution
from explicate.data.images import picture
from explicate.data.shapes import Shapes, rendered_shapes
from explicate.evaluation.image_faithfulness import average_drop, increase_in_confidence, pixel_curve
from explicate.evaluation.localisation import EnergyShare, InstanceRecall, IntersectionOverUnion, PointingGame
from explicate.models import zoo
from explicate.models.tiny import cnn
from explicate.report import fragments, pictures
from explicate.report.document import Figure, Part, Report, Section
from explicate.reproductions.claims import Claim, Context
from explicate.reproductions.units import by_part, measured
from explicate.runtime.seeds import generator
from explicate.runtime.statistics import bootstrap_interval, paired_difference, wilcoxon_signed_rank

SMOOTH = "smooth-grad-cam++"
METHODS: dict[str, ClassActivation] = {
    "grad-cam": GradCAM(layers=cnn.LAST_MAPS),
    "grad-cam++": GradCAMPlusPlus(layers=cnn.LAST_MAPS),
    SMOOTH: SmoothGradCAMPlusPlus(layers=cnn.LAST_MAPS, n_samples=25, noise=0.15),
}
CONTROLS = ("brightness", "random")
TORCH_CAM = {"grad-cam": (0.2686, 0.2250), "grad-cam++": (0.5271, 0.1962), SMOOTH: (0.2088, 0.2499)}
SIZES = {
    "full": {"training": 3000, "accuracy": 1000, "pictures": 300, "noisy": 200, "epochs": 5},
    "smoke": {"training": 600, "accuracy": 100, "pictures": 24, "noisy": 20, "epochs": 3},
}
NOISE = 0.1  # of the test pictures in run 2
PHOTOGRAPHS = {"cat": "face", "coffee": "cup", "rocket": "rocket and stand"}


def reproduce(context: Context) -> Sequence[Claim]:
    """Runs 1 to 3 of the system's page."""
    seeds = list(context.seeds)
    units: list[dict[str, Any]] = [{"part": "shapes", "seed": seed} for seed in seeds]
    units += [{"part": "stability", "seeds": seeds, "samples": n} for n in (25, 2)]
    units += [{"part": "sites", "seed": seed} for seed in seeds]
    units += [{"part": "photographs"}]
    found = by_part(measured(context, "smooth-gradcampp", _work, units, SIZES[context.scale], version=2))
    _page(context)
    shapes, (many, few) = found["shapes"], found["stability"]
    return [
        *_localisation_claims(shapes, found["sites"]),
        *_stability_claims(many["correlation"], few["correlation"]),
        *_robustness_claims(shapes),
        *_confidence_claims(shapes),
        *_photograph_claims(found["photographs"][0]),
    ]


# -- units ---------------------------------------------------------------------------------------------------------


def _work(unit: dict[str, Any], seed: int) -> dict[str, Any]:
    parts = {"shapes": _shapes, "stability": _stability, "sites": _sites, "photographs": _photographs}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* is empty", category=UserWarning)  # empty maps count as misses
        return parts[unit["part"]](unit)


@cache
def _network(scale: str, seed: int) -> Any:
    sizes = SIZES[scale]
    training = rendered_shapes(sizes["training"], generator(seed, "training pictures"))
    return cnn.trained_network(training.images, training.labels, classes=5, epochs=sizes["epochs"], seed=seed)


@cache
def _test_pictures(scale: str) -> Shapes:
    return rendered_shapes(SIZES[scale]["pictures"], generator(0, "test pictures"), instances=(2, 3))


def _shapes(unit: dict[str, Any]) -> dict[str, Any]:
    """Everything on one network: accuracy, localisation, robustness, confidence."""
    scale, seed = unit["scale"], unit["seed"]
    model, test = _network(scale, seed), _test_pictures(scale)
    held_out = rendered_shapes(SIZES[scale]["accuracy"], generator(0, "accuracy pictures"))
    record: dict[str, Any] = {
        "accuracy": float((model.predict(held_out.images).argmax(axis=1) == held_out.labels).mean()),
        "area": test.any_mask().mean(axis=(1, 2)).tolist(),
    }
    predicted = model.predict(test.images).argmax(axis=1)
    for name, method in METHODS.items():
        found = method.explain(model, test.images, predicted.tolist(), seed=seed)
        curves = {kind: pixel_curve(found, model, insertion=kind == "insertion") for kind in ("deletion", "insertion")}
        record[name] = _localised(found.values, test) | {
            "drop": average_drop(found, model).tolist(),
            "increase": increase_in_confidence(found, model).tolist(),
            **{kind: np.trapezoid(curve, dx=0.1, axis=1).tolist() for kind, curve in curves.items()},
            "empty": int(found["empty"].values.sum()),
        }
    record["brightness"] = _localised(test.images[:, 0], test)
    record["random"] = _localised(generator(seed, "random maps").random(test.images[:, 0].shape), test)
    record["robustness"] = _robustness(model, test, predicted, seed, SIZES[scale]["noisy"])
    record["averaged maps"] = _localised(_averaged_maps(model, test, predicted, seed), test)
    return record


def _localised(maps: Floats, test: Shapes) -> dict[str, list[float]]:
    """Localisation metrics of every picture; empty maps count as 0."""
    numbered = (test.masks * np.arange(1, test.masks.shape[1] + 1)[None, :, None, None]).max(axis=1)
    metrics = {
        "energy": EnergyShare(),
        "recall": InstanceRecall(),
        "iou": IntersectionOverUnion(),
        "pointing": PointingGame(),
    }
    return {
        name: [float(np.nan_to_num(metric.of(one, mask))) for one, mask in zip(maps, numbered, strict=True)]
        for name, metric in metrics.items()
    }


def _averaged_maps(model: Any, test: Shapes, targets: Array, seed: int) -> Floats:
    """A control that is not the method: the mean of finished Grad-CAM++ maps of 5 noisy copies."""
    rng = generator(seed, "averaged maps")
    total = np.zeros(test.images[:, 0].shape)
    for _ in range(5):
        noisy = test.images + 0.15 * np.ptp(test.images) * rng.standard_normal(test.images.shape)
        total += METHODS["grad-cam++"].explain(model, noisy.astype(np.float32), targets.tolist()).values
    return scaled(total)[0]


def _robustness(model: Any, test: Shapes, targets: Array, seed: int, count: int) -> dict[str, list[float]]:
    """Correlation between the map of the clean and of the noisy picture, for the clean picture's class."""
    clean = test.images[:count]
    noise = generator(seed, "noise on test pictures").standard_normal(clean.shape)
    noisy = (clean + NOISE * noise).astype(np.float32)
    found = {}
    for name, method in METHODS.items():
        one = method.explain(model, clean, targets[:count].tolist(), seed=seed).values
        two = method.explain(model, noisy, targets[:count].tolist(), seed=seed + 1000).values  # other noise
        found[name] = [_correlation(a, b) for a, b in zip(one, two, strict=True)]
    return found


def _stability(unit: dict[str, Any]) -> dict[str, Any]:
    """Mean rank correlation between the maps of different noise seeds, per picture, on the first network."""
    from scipy.stats import spearmanr

    model, test = _network(unit["scale"], unit["seeds"][0]), _test_pictures(unit["scale"])
    targets = model.predict(test.images).argmax(axis=1).tolist()
    method = SmoothGradCAMPlusPlus(layers=cnn.LAST_MAPS, n_samples=unit["samples"], noise=0.15)
    maps = [method.explain(model, test.images, targets, seed=seed).values for seed in unit["seeds"]]
    pairs = [(a, b) for a in range(len(maps)) for b in range(a)]
    found = []
    for row in range(len(test)):
        each = [spearmanr(maps[a][row], maps[b][row], axis=None).statistic for a, b in pairs]
        found.append(float(np.nan_to_num(each).mean()))
    return {"correlation": found}


def _sites(unit: dict[str, Any]) -> dict[str, Any]:
    """Instance recall of Grad-CAM and of Smooth Grad-CAM++ at the three places of the last block."""
    model, test = _network(unit["scale"], unit["seed"]), _test_pictures(unit["scale"])
    targets = model.predict(test.images).argmax(axis=1).tolist()
    found: dict[str, Any] = {}
    for place in ("convolution", "norm", "activation"):
        layer = cnn.LAST_MAPS.replace("activation", place)
        methods = {"grad-cam": GradCAM(layers=layer), SMOOTH: SmoothGradCAMPlusPlus(layers=layer)}
        maps = {
            name: method.explain(model, test.images, targets, seed=unit["seed"]) for name, method in methods.items()
        }
        found[place] = {name: float(np.mean(_localised(each.values, test)["recall"])) for name, each in maps.items()}
    return {"places": found}


def _photographs(unit: dict[str, Any]) -> dict[str, Any]:
    """Where the maps of the predicted classes have their maxima, on scikit-image's photographs."""
    model = zoo.load("efficientnet-lite0")
    methods = _siblings(unit["scale"])
    record: dict[str, Any] = {}
    for name, box in PHOTOGRAPHS.items():
        shown = picture(name)
        inside = model.preprocessing.mask(shown.mask(box))
        found = {key: method.explain(model, shown.pixels) for key, method in methods.items()}
        record[name] = _predicted(found[SMOOTH]) | {
            "box": box,
            "share": shown.share(box),
            **{key: bool(inside[_peak(each)]) for key, each in found.items()},
        }
        if shown.imagenet_class != record[name]["class"] and shown.imagenet_class is not None:
            named = methods[SMOOTH].explain(model, shown.pixels, shown.imagenet_class)
            record[name]["named class"] = shown.imagenet_name
            record[name]["named class inside"] = bool(inside[_peak(named)])
    mosaic = methods[SMOOTH].explain(model, picture("two-cats").pixels)
    half = mosaic.values.shape[2] // 2
    halves = [float(mosaic.values[0][:, :half].max()), float(mosaic.values[0][:, half:].max())]
    record["two-cats"] = _predicted(mosaic) | {"halves": halves}
    return record


def _siblings(scale: str) -> dict[str, ClassActivation]:
    smooth = SmoothGradCAMPlusPlus(n_samples=5 if scale == "smoke" else 25)
    return {"cam": CAM(), "grad-cam": GradCAM(), "grad-cam++": GradCAMPlusPlus(), SMOOTH: smooth}


def _page(context: Context) -> None:
    """Write what five methods show on the photographs, side by side, as a page beside the run."""
    model = zoo.load("efficientnet-lite0")
    smooth_grad = SmoothGrad(absolute=True, channels="max", samples=3 if context.smoke else 25)
    parts = []
    for name in (*PHOTOGRAPHS, "two-cats"):
        figures = []
        for key, method in {**_siblings(context.scale), "smooth-grad": smooth_grad}.items():
            found = method.explain(model, picture(name).pixels)
            image = fragments.picture(pictures.heat_map(found), f"{key} on {name}")
            figures.append(Figure(image, found.provenance.summary()))
        parts.append(Part(name, ["Maps of the predicted class; SmoothGrad: largest size over the colours."], figures))
    section = Section(
        "Five methods, four photographs", {"model": "EfficientNet-Lite0, ImageNet weights"}, [], parts, []
    )
    command = f"explicate reproduce smooth-gradcampp --scale {context.scale}"
    introduction = "Where an image classifier saw the evidence for what it predicts."
    report = Report("Smooth Grad-CAM++ and its siblings", introduction, [section], command)
    report.save(context.folder / f"smooth-gradcampp-{context.scale}.html")


def _predicted(found: Attribution) -> dict[str, Any]:
    return {"class": int(found.targets[0]), "name": str(found["target_name"].values[0])}


def _peak(found: Attribution) -> tuple[int, int]:
    row, column = np.unravel_index(found.values[0].argmax(), found.values[0].shape)
    return int(row), int(column)


def _correlation(one: Floats, two: Floats) -> float:
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0
    return float(np.corrcoef(one.ravel(), two.ravel())[0, 1])


# -- claims --------------------------------------------------------------------------------------------------------


def _pooled(records: Sequence[dict[str, Any]], method: str, metric: str) -> tuple[Floats, list[int]]:
    """Values of all networks and pictures, and the number of each value's picture (its cluster)."""
    values = np.array([record[method][metric] for record in records])
    return values.ravel(), list(range(values.shape[1])) * len(values)


def _mean(records: Sequence[dict[str, Any]], method: str, metric: str) -> float:
    return float(_pooled(records, method, metric)[0].mean())


def _localisation_claims(records: Sequence[dict[str, Any]], sites: Sequence[dict[str, Any]]) -> list[Claim]:
    count = len(records)
    accuracy = [record["accuracy"] for record in records]
    area = np.array([record["area"] for record in records]).ravel()
    energy, clusters = _pooled(records, SMOOTH, "energy")
    ratio = bootstrap_interval(
        np.stack([energy, area], axis=1), lambda both: float(both[:, 0].mean() / both[:, 1].mean()), clusters=clusters
    )
    ratios = {name: _mean(records, name, "energy") / float(area.mean()) for name in (*METHODS, *CONTROLS)}
    recall, _ = _pooled(records, SMOOTH, "recall")
    plain, _ = _pooled(records, "grad-cam", "recall")
    interval = bootstrap_interval(recall, clusters=clusters)
    gain = paired_difference(recall, plain, clusters=clusters)
    others = {name: _mean(records, name, "recall") for name in (*METHODS, "averaged maps", *CONTROLS)}
    spread = [
        round(float(np.mean(record[SMOOTH]["recall"]) - np.mean(record["grad-cam"]["recall"])), 3) for record in records
    ]
    by_site = {
        place: {name: float(np.mean([site["places"][place][name] for site in sites])) for name in ("grad-cam", SMOOTH)}
        for place in sites[0]["places"]
    }
    extra = {
        metric: {name: round(_mean(records, name, metric), 3) for name in (*METHODS, *CONTROLS)}
        for metric in ("iou", "pointing")
    }
    return [
        Claim(
            "The network knows the shapes",
            f"test accuracy, the lowest of {count} networks",
            measured=min(accuracy),
            chance=0.2,
            bar=">= 0.95",
            met=min(accuracy) >= 0.95,
        ),
        Claim(
            "Smooth Grad-CAM++ lies on the shapes of its class",
            "share of the map inside the masks / the masks' share of the area",
            measured=ratio.value,
            interval=(ratio.low, ratio.high),
            baseline=ratios["grad-cam"],
            chance=1.0,
            bar=">= 2",
            met=ratio.value >= 2,
            note="all: " + _listed(ratios),
        ),
        Claim(
            "It finds all instances",
            "instance recall: mean map value of an instance above the map's 80th percentile",
            measured=interval.value,
            interval=(interval.low, interval.high),
            baseline=others["grad-cam"],
            chance=others["random"],
            bar=">= 0.80",
            met=interval.value >= 0.80,
            note="all: " + _listed(others),
        ),
        Claim(
            "It finds more instances than Grad-CAM",
            "instance recall less that of Grad-CAM, paired",
            measured=gain.value,
            interval=(gain.low, gain.high),
            baseline=0.0,
            chance=0.0,
            bar=">= 0.05",
            met=gain.value >= 0.05,
            note=f"per network: {', '.join(map(str, spread))}; Grad-CAM itself reaches {others['grad-cam']:.3f}, "
            f"so at most {1 - others['grad-cam']:.3f} could be gained; at other places of the last block (mean of the "
            "networks, Grad-CAM -> Smooth Grad-CAM++): "
            + ", ".join(f"{place} {means['grad-cam']:.3f} -> {means[SMOOTH]:.3f}" for place, means in by_site.items()),
        ),
        *(
            Claim(
                "For information",
                {"iou": "IoU of {map >= half its maximum} with the masks", "pointing": "pointing game"}[metric],
                measured=values[SMOOTH],
                baseline=values["grad-cam"],
                chance=values["random"],
                note="all: " + _listed(values),
            )
            for metric, values in extra.items()
        ),
    ]


def _stability_claims(many: Sequence[float], few: Sequence[float]) -> list[Claim]:
    high, low = bootstrap_interval(many), bootstrap_interval(few)
    fall = paired_difference(many, few)
    return [
        Claim(
            "25 noisy copies make the map reproducible",
            "mean Spearman correlation between the maps of three noise seeds, n = 25",
            measured=high.value,
            interval=(high.low, high.high),
            baseline=low.value,
            chance=0.0,
            bar=">= 0.95",
            met=high.value >= 0.95,
        ),
        Claim(
            "and 2 copies less so",
            "the same, n = 25 less n = 2, paired",
            measured=fall.value,
            interval=(fall.low, fall.high),
            baseline=0.0,
            bar="> 0",
            met=fall.value > 0,
        ),
    ]


def _robustness_claims(records: Sequence[dict[str, Any]]) -> list[Claim]:
    smooth = np.array([record["robustness"][SMOOTH] for record in records])
    plain = np.array([record["robustness"]["grad-cam++"] for record in records])
    average = float(np.mean([record["robustness"]["grad-cam"] for record in records]))
    clusters = list(range(smooth.shape[1])) * len(smooth)
    gain = paired_difference(smooth.ravel(), plain.ravel(), clusters=clusters)
    p_value = wilcoxon_signed_rank(smooth.mean(axis=0), plain.mean(axis=0))  # one pair per picture
    each = [f"{wilcoxon_signed_rank(a, b):.1e}" for a, b in zip(smooth, plain, strict=True)]
    higher = gain.value > 0
    return [
        Claim(
            "Noise in the picture changes the map less than that of Grad-CAM++",
            "correlation of the clean and the noisy picture's map, less that of Grad-CAM++, paired",
            measured=gain.value,
            interval=(gain.low, gain.high),
            baseline=0.0,
            chance=0.0,
            bar="> 0, Wilcoxon p < 0.01",
            met=bool(higher and p_value < 0.01),
            note=f"smooth {smooth.mean():.4f}, Grad-CAM++ {plain.mean():.4f}, Grad-CAM {average:.4f}; "
            f"p = {p_value:.1e} over {smooth.shape[1]} pictures (means of {len(smooth)} networks; "
            f"each network: {', '.join(each)})",
        )
    ]


def _confidence_claims(records: Sequence[dict[str, Any]]) -> list[Claim]:
    claims = []
    for name, (drop, increase) in TORCH_CAM.items():
        curves = f"deletion {_mean(records, name, 'deletion'):.3f}, insertion {_mean(records, name, 'insertion'):.3f}"
        for metric, claimed in (("drop", drop), ("increase", increase)):
            values, clusters = _pooled(records, name, metric)
            interval = bootstrap_interval(values, clusters=clusters)
            claims.append(
                Claim(
                    f"For information: {name}, {'average drop' if metric == 'drop' else 'increase in confidence'}",
                    "on the shapes; claimed is torch-cam's figure for ResNet-18 on Imagenette, other data",
                    claimed=claimed,
                    measured=interval.value,
                    interval=(interval.low, interval.high),
                    note=f"{curves}; a map of ones has drop 0" if metric == "drop" else "",
                )
            )
    return claims


def _photograph_claims(record: dict[str, Any]) -> list[Claim]:
    claims = []
    for name, box in PHOTOGRAPHS.items():
        found = record[name]
        note = f"predicted: {found['name']} ({found['class']}); also inside: " + (
            ", ".join(key for key in ("cam", "grad-cam", "grad-cam++") if found[key]) or "none of the siblings"
        )
        if "named class" in found:
            where = "inside" if found["named class inside"] else "outside"
            note += (
                f"; the network does not see a {found['named class']} here; that class's maximum lies {where} the box"
            )
        claims.append(
            Claim(
                f"On the photograph {name!r} the map of the predicted class has its maximum on the thing",
                f"maximum inside the box {box!r} (1 or 0)",
                measured=float(found[SMOOTH]),
                baseline=float(found["grad-cam"]),
                chance=found["share"],
                bar="= 1",
                met=bool(found[SMOOTH]),
                note=note,
            )
        )
    halves = record["two-cats"]["halves"]
    claims.append(
        Claim(
            "Of two cats side by side both are seen",
            "the lower of the two halves' maxima, relative to the map's",
            measured=min(halves),
            bar="> 0.5",
            met=min(halves) > 0.5,
            note=f"left {halves[0]:.2f}, right {halves[1]:.2f}; predicted: {record['two-cats']['name']}",
        )
    )
    return claims


def _listed(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
