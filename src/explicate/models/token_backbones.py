"""Pretrained image models, from local files, as backbones of tokens and a summary; nothing is fetched from a hub.

A vision transformer's first token is the summary; a model of feature maps (Swin, ConvNeXt) gives its map as tokens, row
by row, and their mean as the summary.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from explicate.errors import FileFormatError, InputError, MissingDependencyError, first_line
from explicate.models.tiny.token_classifier import Backbone


def folder_backbone(folder: str | Path) -> Backbone:
    """An image model in the format of transformers, such as a ViT, Swin or ConvNeXt, from its local folder.

    Raises
    ------
    InputError : there is no such folder. FileFormatError : it holds no such model.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"there is no folder {path}; give one with config.json and weights as safetensors")

    def build(shape: tuple[int, ...]) -> Any:
        try:
            from transformers import AutoModel
        except ImportError as error:
            raise MissingDependencyError(
                "a backbone from a folder needs transformers; run: pip install 'explicate[language]'"
            ) from error
        try:
            model = AutoModel.from_pretrained(path, local_files_only=True, use_safetensors=True)
        except (OSError, ValueError) as error:
            raise FileFormatError(f"{path} holds no model that can be read ({first_line(error)})") from error
        first = int(model.config.model_type in ("vit", "deit"))
        return _module(model, lambda pictures: model(pictures).last_hidden_state, first, shape)

    return build


def timm_backbone(name: str, weights: str | Path | None = None) -> Backbone:
    """A model of timm by its name, such as "vit_tiny_patch16_224", its classifier taken off.

    Parameters
    ----------
    weights : a local file of safetensors with the weights of timm's model of that name; None begins untrained.

    Raises
    ------
    MissingDependencyError : timm is not installed. InputError : no such file, or no such model.
    FileFormatError : weights that do not fit.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingDependencyError(
            f"the backbone {name!r} needs timm, which needs torchvision; run: pip install timm ({first_line(error)})"
        ) from error
    if not timm.is_model(name):
        raise InputError(f"timm has no model {name!r}; timm.list_models() names them")
    path = None if weights is None else Path(weights)
    if path is not None and (path.suffix != ".safetensors" or not path.is_file()):
        raise InputError(f"{path} is no file of safetensors; nothing else is read, for pickles can run code")

    def build(shape: tuple[int, ...]) -> Any:
        from safetensors.torch import load_file

        model = timm.create_model(name, pretrained=False, num_classes=0)
        if path is not None:
            held = load_file(path)
            missing = sorted(set(model.state_dict()) - set(held))
            if missing:
                raise FileFormatError(f"{path} lacks the weights {missing[0]} of {name}")
            model.load_state_dict({key: held[key] for key in model.state_dict()})
        return _module(model, model.forward_features, int(getattr(model, "num_prefix_tokens", 0)), shape)

    return build


def as_tokens(features: Any, first: int, last: bool = False) -> tuple[Any, Any, tuple[int, int] | None]:
    """Tokens (case, token, width), a summary (case, 1, width), and the grid of a feature map.

    Parameters
    ----------
    features : (case, token, width), or a map, (case, width, row, column), or (case, row, column, width) where `last`.
    first : how many tokens stand before those of the patches; the first of them is the summary.
    """
    if features.ndim == 3:
        tokens = features[:, first:]
        return tokens, features[:, :1] if first else tokens.mean(dim=1, keepdim=True), None
    if last:
        features = features.movedim(3, 1)
    tokens = features.flatten(2).mT
    return tokens, tokens.mean(dim=1, keepdim=True), (int(features.shape[2]), int(features.shape[3]))


def _module(model: Any, features: Any, first: int, shape: tuple[int, ...]) -> Any:
    """The model as a backbone for pictures of one shape."""
    import torch
    from torch import nn

    with torch.no_grad():
        try:
            found = features(torch.zeros(1, *shape))
        except (RuntimeError, ValueError, AssertionError) as error:
            raise InputError(f"the backbone does not take pictures of shape {shape} ({first_line(error)})") from error
    widths = {int(getattr(model, "num_features", 0)), *_hidden(model)}
    last = found.ndim == 4 and found.shape[3] in widths and found.shape[1] not in widths
    tokens, _, grid = as_tokens(found, first, last)
    side = round(tokens.shape[1] ** 0.5)

    class Pretrained(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.width = int(tokens.shape[2])
            self.grid = grid or ((side, side) if side * side == tokens.shape[1] else None)

        def forward(self, pictures: Any) -> tuple[Any, Any]:
            own, summary, _ = as_tokens(features(pictures), first, last)
            return own, summary

    return Pretrained()


def _hidden(model: Any) -> set[int]:
    """The widths that a configuration of transformers names."""
    config = getattr(model, "config", None)
    size = getattr(config, "hidden_size", None)
    return {int(size)} if size else {int(each) for each in getattr(config, "hidden_sizes", [])[-1:]}
