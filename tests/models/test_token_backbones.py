"""Pretrained backbones: what a model's own features are, laid out as tokens and a summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explicate.errors import FileFormatError, InputError, MissingDependencyError
from explicate.glassbox import check_glass_box
from explicate.glassbox.concept_transformer import ConceptTransformer
from explicate.models.token_backbones import as_tokens, folder_backbone, timm_backbone


def small_vit() -> Any:
    from transformers import ViTConfig, ViTModel

    return ViTModel(ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
                              image_size=8, patch_size=4, num_channels=1), add_pooling_layer=False)  # fmt: skip


def small_convnext() -> Any:
    from transformers import ConvNextConfig, ConvNextModel

    return ConvNextModel(ConvNextConfig(num_channels=1, patch_size=2, hidden_sizes=[8, 12], depths=[1, 1],
                                        num_stages=2, image_size=8))  # fmt: skip


@pytest.mark.parametrize(("make", "width"), [(small_vit, 16), (small_convnext, 12)])
def test_a_folder_gives_the_models_own_features(tmp_path: Path, make: Any, width: int) -> None:
    torch.manual_seed(0)
    model = make().eval()
    model.save_pretrained(tmp_path)
    backbone = folder_backbone(tmp_path)((1, 8, 8)).eval()
    pictures = torch.rand(3, 1, 8, 8)
    with torch.no_grad():
        tokens, summary = backbone(pictures)
        own = model(pictures).last_hidden_state
    assert (backbone.width, backbone.grid, tokens.shape) == (width, (2, 2), (3, 4, width))
    if width == 16:
        torch.testing.assert_close(torch.cat([summary, tokens], dim=1), own)
    else:
        torch.testing.assert_close(tokens.mT.unflatten(2, (2, 2)), own)
        torch.testing.assert_close(summary[:, 0], own.mean(dim=(2, 3)))


def test_a_concept_transformer_stands_on_a_pretrained_backbone(tmp_path: Path) -> None:
    small_vit().save_pretrained(tmp_path)
    rng = np.random.default_rng(0)
    pictures, labels = rng.random((20, 1, 8, 8)), np.arange(20) % 2
    pictures[labels == 1, :, :4] += 1
    model = ConceptTransformer(global_concepts=2, spatial_concepts=3, backbone=folder_backbone(tmp_path), epochs=20,
                               learning_rate=1e-2, batch=10, validation=0.0).fit(pictures, labels)  # fmt: skip
    check_glass_box(model, pictures)
    assert model.score(pictures, labels) == 1.0
    assert model.explain(pictures).data.attrs["grid"] == [2, 2]


def test_maps_with_the_width_last_are_turned() -> None:
    map_ = torch.arange(24.0).reshape(1, 2, 3, 4)
    tokens, summary, grid = as_tokens(map_, 0, last=True)
    assert grid == (2, 3)
    torch.testing.assert_close(tokens, map_.reshape(1, 6, 4))
    torch.testing.assert_close(summary[:, 0], map_.mean(dim=(1, 2)))


def test_bad_folders_and_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        folder_backbone(tmp_path / "none")
    with pytest.raises(FileFormatError, match="holds no model"):
        folder_backbone(tmp_path)((1, 8, 8))
    small_vit().save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"does not take pictures of shape \(1, 9, 8\)"):
        folder_backbone(tmp_path)((1, 9, 8))


def test_timm_is_asked_for_where_it_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(MissingDependencyError, match="pip install timm"):
        timm_backbone("vit_tiny_patch16_224")
