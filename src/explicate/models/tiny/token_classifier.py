"""A small transformer as a classifier of pictures, or of sequences of states, in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError
from explicate.models.tiny.descent import DecoderRecipe
from explicate.models.tiny.training import descend
from explicate.runtime.seeds import checked_seed, derive_seed, generator

if TYPE_CHECKING:
    import torch

Backbone = Callable[[tuple[int, ...]], Any]
"""From the shape of one case, (channel, row, column) or (token, feature), to a torch module with the attribute `width`
that turns a batch of cases into tokens (case, token, width) and a summary (case, 1, width); `grid`, where it has one,
says (rows, columns) of a picture's tokens."""

CHUNK = 64  # cases sent through at once; the last chunk is filled up, so that a case is read alike in any company


class TokenClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The plain backbone: a transformer over tokens and a linear map of its summary token.

    Parameters
    ----------
    backbone : what turns cases into tokens; None is a `TokenTransformer` from scratch of the next five parameters.
    patch : side of a picture's square patches, in pixels. width, layers, heads, hidden, dropout : of the transformer;
        hidden is a multiple of the width.
    epochs, warm_epochs : passes over the cases, and those in which the learning rate rises; after that it falls along
        half a cosine. learning_rate, weight_decay : of AdamW. batch : cases a step.
    validation : the share of the cases that chooses the epoch, by cross-entropy; with 0 the last one stays.
    seed : of weights, orders and noise.

    Attributes
    ----------
    classes_ : (class,) the labels, sorted. module_ : backbone and head. grid_ : (rows, columns) of a picture's patches.
    history_ : the validation cross-entropy after each epoch.
    """

    def __init__(
        self,
        backbone: Backbone | None = None,
        patch: int = 4,
        width: int = 64,
        layers: int = 2,
        heads: int = 2,
        hidden: int = 2,
        dropout: float = 0.1,
        epochs: int = 30,
        warm_epochs: int = 5,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-3,
        batch: int = 64,
        validation: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.backbone = backbone
        self.patch = patch
        self.width = width
        self.layers = layers
        self.heads = heads
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.warm_epochs = warm_epochs
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch = batch
        self.validation = validation
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Train on (case, channel, row, column) pictures or (case, token, feature) states, and labels (case,)."""
        import torch.nn.functional as F

        from explicate.models.tiny.token_transformer import SummaryHead

        tokens, codes = self._begin(X, y)
        self._train(
            lambda width: SummaryHead(width, len(self.classes_)),
            tokens,
            lambda head, found, rows: F.cross_entropy(head(*found), codes[rows]),
            lambda head, found, rows: F.cross_entropy(head(*found), codes[rows]),
        )
        return self

    def predict(self, X: Any) -> Array:
        """(case,) labels."""
        return np.asarray(self.classes_[self._scores(X).argmax(axis=1)])

    def predict_proba(self, X: Any) -> Floats:
        """(case, class)."""
        from scipy.special import softmax

        return np.asarray(softmax(self._scores(X), axis=1))

    def _scores(self, X: Any) -> Floats:
        head = self._fitted()["head"]
        return self._through(X, lambda tokens, summary: [head(tokens, summary)])[0]

    # -- what classifiers with other heads share -----------------------------------------------------------------------

    def _fitted(self) -> Any:
        check_is_fitted(self)
        return self.module_

    def _begin(self, X: Any, y: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Cases as the backbone takes them, and class codes; learns shape, classes and scale."""
        import torch

        for name in ("patch", "width", "heads", "hidden", "epochs", "batch"):
            if not getattr(self, name) >= 1:
                raise InputError(f"{name} is {getattr(self, name)!r}; give a whole number of at least 1")
        if not (0 <= self.validation < 1 and 0 <= self.dropout < 1 and self.learning_rate > 0 <= self.layers):
            raise InputError("validation and dropout are shares below 1, layers at least 0, learning_rate above 0")
        cases = _numbers(X)
        labels = np.asarray(y)
        if labels.shape != (len(cases),):
            raise InputError(f"{len(cases)} cases and labels of shape {labels.shape}; give one label per case")
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"all labels are {self.classes_[0]!r}; two classes are needed")
        self._shape = cases.shape[1:]
        self.grid_ = self._grid()
        tokens = self._cut(cases)
        axes = tuple(range(tokens.ndim - 1)) if tokens.ndim == 3 else (0, 2, 3)
        self._centre, spread = tokens.mean(axis=axes, keepdims=True), tokens.std(axis=axes, keepdims=True)
        self._spread = np.where(spread > 0, spread, 1.0)
        return self._scaled(tokens), torch.as_tensor(codes)

    def _grid(self) -> tuple[int, int] | None:
        if len(self._shape) == 2 or self.backbone is not None:
            return None
        rows, columns = self._shape[1:]
        if rows % self.patch or columns % self.patch:
            raise InputError(f"pictures of {rows} x {columns} pixels cannot be cut into patches of side {self.patch}")
        return rows // self.patch, columns // self.patch

    def _cut(self, cases: Array) -> Array:
        whole = cases.ndim == 3 or self.backbone is not None
        return cases if whole else cut_into_patches(cases, self.patch)

    def _scaled(self, tokens: Array) -> torch.Tensor:
        import torch

        return torch.as_tensor((tokens - self._centre) / self._spread).float()

    def _train(
        self,
        make_head: Callable[[int], Any],
        tokens: torch.Tensor,
        loss: Callable[[Any, Any, torch.Tensor], torch.Tensor],
        judged: Callable[[Any, Any, torch.Tensor], torch.Tensor],
    ) -> None:
        """Train backbone and head by `loss(head, found, rows)`; keep the epoch whose `judged` loss is least."""
        import torch
        from torch import nn

        from explicate.models.tiny.token_transformer import TokenTransformer

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(checked_seed(self.seed), "weights"))
            body = (
                self.backbone(self._shape)
                if self.backbone is not None
                else TokenTransformer(
                    tokens.shape[2], tokens.shape[1], width=self.width, layers=self.layers, heads=self.heads,
                    hidden=self.hidden, dropout=self.dropout,
                )
            )  # fmt: skip
            self.grid_ = self.grid_ or getattr(body, "grid", None)
            module = nn.ModuleDict({"backbone": body, "head": make_head(body.width)})
            order = generator(self.seed, "validation").permutation(len(tokens))
            held = torch.as_tensor(order[: round(self.validation * len(tokens))])
            used = torch.as_tensor(order[len(held) :])
            steps = -(-len(used) // self.batch)
            recipe = DecoderRecipe(
                self.epochs * steps, learning_rate=self.learning_rate, warmup=min(self.warm_epochs, self.epochs) * steps
            )
            multiples: dict[Any, float] = getattr(
                module["head"], "rates", dict
            )()  # of weights that learn faster than the others
            groups = [{"params": [weight], "multiple": multiples.get(weight, 1.0)} for weight in module.parameters()]
            optimiser = torch.optim.AdamW(groups, self.learning_rate, weight_decay=self.weight_decay)
            best: dict[str, Any] = {}
            self.history_: list[float] = []

            def set_rate(share: float) -> None:
                for group in optimiser.param_groups:
                    group["lr"] = recipe.rate(round(share * recipe.steps)) * group["multiple"]

            def judge(epoch: int) -> None:
                if not len(held):
                    return
                module.eval()
                with torch.no_grad():
                    parts = [judged(module["head"], body(tokens[c]), c).item() * len(c) for c in held.split(4 * CHUNK)]
                module.train()
                self.history_.append(sum(parts) / len(held))
                if self.history_[-1] == min(self.history_):
                    best.update({key: value.clone() for key, value in module.state_dict().items()})

            module.train()
            descend(
                optimiser, lambda rows: loss(module["head"], body(tokens[used[rows]]), used[rows]), len(used),
                epochs=self.epochs, batch=self.batch, rng=generator(self.seed, "order"), name="a transformer",
                before_step=set_rate, after_epoch=judge,
            )  # fmt: skip
        if best:
            module.load_state_dict(best)
        self.module_ = module.eval()

    def _through(self, X: Any, read: Callable[[Any, Any], list[Any]]) -> list[Floats]:
        """What `read(tokens, summary)` makes of the cases, chunk by chunk."""
        import torch

        module, tokens = self._fitted(), self._scaled(self._cut(self._cases(X)))
        found: list[list[Array]] = []
        with torch.no_grad():
            for chunk in tokens.split(CHUNK):
                full = torch.cat([chunk, chunk.new_zeros(CHUNK - len(chunk), *chunk.shape[1:])])
                found.append([part[: len(chunk)].double().numpy() for part in read(*module["backbone"](full))])
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def _cases(self, X: Any) -> Array:
        cases = _numbers(X)
        if cases.shape[1:] != self._shape:
            raise InputError(f"cases of shape {cases.shape[1:]}; the model was fitted on {self._shape}")
        return cases


def cut_into_patches(pictures: Array, patch: int) -> Array:
    """(picture, patch, channel * row * column) from (picture, channel, row, column), patches row by row."""
    count, channels, rows, columns = pictures.shape
    cut = pictures.reshape(count, channels, rows // patch, patch, columns // patch, patch)
    return np.asarray(cut.transpose(0, 2, 4, 1, 3, 5).reshape(count, -1, channels * patch * patch))


def _numbers(X: Any) -> Array:
    try:
        cases = np.asarray(X, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"the cases hold something that is no number: {' '.join(str(error).split())}") from error
    if cases.ndim not in (3, 4) or not cases.size:
        raise InputError(
            f"cases of shape {cases.shape}; give (case, channel, row, column) pictures or (case, token, feature) states"
        )
    if not np.isfinite(cases).all():
        raise InputError(f"case {int(np.argwhere(~np.isfinite(cases))[0][0])} holds NaN or infinite values")
    return cases
