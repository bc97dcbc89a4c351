"""What causal models and encoders share: batches of similar length, gradients in embedding space, sites."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from explicate.core.capabilities import Array, Floats, ModelKind, Targets
from explicate.core.cost import spend
from explicate.core.interventions import Ablate, Edit, Intervention, Patch, Project, Scale, Steer, Together
from explicate.core.sites import GLOBAL, Site
from explicate.errors import ExplicateError, InputError, ModelError, NonFiniteScoreError, SiteError, TargetError
from explicate.models.base import Model
from explicate.models.language import architectures, sites, tokens
from explicate.models.language.architectures import Architecture
from explicate.models.language.positions import Frame, Handler, Selection, visit
from explicate.models.language.tokens import ABSENT, Batch
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch

Score = Literal["logit", "log-probability", "probability"]
SCORES = ("logit", "log-probability", "probability")


class TextModel(Model):
    """A Hugging Face transformer over token ids; offers `Predictor`, `Differentiable` and `Transparent`.

    Parameters
    ----------
    module : the transformers model; its weights and its attention kernel are left as they are.
    tokenizer : its tokenizer.
    name, source : see `Model`.
    chunk : most texts sent through at once; None leaves it to `tokens_at_once`.
    tokens_at_once : most columns, padding included, sent through at once.
    fingerprint : content hash of the weights, when the caller has one; otherwise it is taken of them.
    """

    kind: ClassVar[ModelKind] = "text"
    feature_dims: ClassVar[tuple[str, ...]] = ("token",)
    side: ClassVar[Literal["left", "right"]]

    def __init__(
        self,
        module: Any,
        tokenizer: Any,
        *,
        name: str | None = None,
        source: str | None = None,
        chunk: int | None = None,
        tokens_at_once: int = tokens.TOKENS_AT_ONCE,
        score: Score = "logit",
        fingerprint: str | None = None,
    ) -> None:
        super().__init__(name or type(module).__name__, source, chunk)
        if score not in SCORES:
            raise InputError(f"score {score!r} is unknown; use one of {', '.join(SCORES)}")
        self.module = module.eval()
        self.tokenizer = tokenizer
        self.score: Score = score
        self.tokens_at_once = tokens_at_once
        self.frame: Frame | None = None
        self.embed_handlers: list[tuple[Site, Handler]] = []
        self.logit_handlers: list[tuple[Site, Handler]] = []
        self.head_handlers: dict[int, list[tuple[Site, Handler]]] = {}
        self._active: list[Intervention] = []
        self._weights_fingerprint = fingerprint
        self._special = np.array(sorted(set(tokenizer.all_special_ids)), dtype=np.int64)

    # -- what a subclass must say --------------------------------------------------------------------------------

    @abstractmethod
    def score_tensor(self, batch: Batch, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores (sample, output) of a batch; differentiable."""

    def target_tensor(self, batch: Batch, embeddings: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The targets' scores (sample,) of a batch; differentiable."""
        scores = self.score_tensor(batch, embeddings)
        rows = scores.gather(1, targets if targets.ndim == 2 else targets[:, None])
        return rows[:, 0] if targets.ndim == 1 else rows[:, 0] - rows[:, 1]

    # -- layout ----------------------------------------------------------------------------------------------------

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self.module.config

    @property
    def architecture(self) -> Architecture:
        """The entry of the architectures' table; a `CapabilityError` says how to add one."""
        return architectures.architecture_of(self.config, self.name)

    @property
    def blocks(self) -> Any:
        """The blocks, in order."""
        return self.module.base_model.get_submodule(self.architecture.blocks)

    @property
    def layer_count(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def head_count(self) -> int:
        """Number of query heads in a block."""
        return int(self.config.num_attention_heads)

    @property
    def width(self) -> int:
        """Width of an embedding."""
        return int(self.module.get_input_embeddings().weight.shape[1])

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return int(self.module.get_input_embeddings().weight.shape[0])

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        found: torch.device = next(self.module.parameters()).device
        return found

    # -- texts and tokens ------------------------------------------------------------------------------------------

    def encode(self, inputs: Any) -> Array:
        """Texts as int64 ids (sample, token), -1 on the right where a text is shorter.

        Takes a text, a list of texts, one or more lists of ids, or what a tokenizer gives (ids and attention mask).
        Special tokens are added as the tokenizer does it by default.
        """
        longest = getattr(self.config, "max_position_embeddings", None)
        return tokens.encode(inputs, self.tokenizer, self.vocabulary, longest, self.name)

    def decode(self, inputs: Array) -> list[str]:
        """Encoded texts as text; what is absent is left out."""
        return [str(self.tokenizer.decode(row[row >= 0].tolist())) for row in np.asarray(inputs)]

    def token_text(self, index: int) -> str:
        """The text of one token id, with its leading space."""
        return tokens.piece(self.tokenizer, int(index))

    def token_index(self, text: str) -> int:
        """The id of the one token that `text` is, with or without a leading space.

        Where both exist ("Mary" and " Mary"), a text that starts with a letter or digit means the token with the space,
        as it stands inside a sentence; give the id to mean the other.

        Raises
        ------
        TargetError : the text is several tokens.
        """
        spaced = " " + text
        for candidate in (spaced, text) if text[:1].isalnum() else (text, spaced):
            ids = self.tokenizer(candidate, add_special_tokens=False)["input_ids"]
            if len(ids) == 1 and ids[0] != self.tokenizer.unk_token_id:
                return int(ids[0])
            if text in (self.tokenizer.all_special_tokens or ()):
                return int(self.tokenizer.convert_tokens_to_ids(text))
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        pieces = ", ".join(f"{self.token_text(i)!r} ({i})" for i in ids[:6])
        raise TargetError(f"{text!r} is not one token of {self.name!r} but {len(ids)}: {pieces}; choose one of them")

    def special_tokens(self, inputs: Array) -> Array:
        """Which entries are special tokens (beginning, separator, ...): bool, of the shape of `inputs`."""
        return np.isin(inputs, self._special)

    def words(self, sample: Array) -> Array:
        """The word that each token of one encoded text belongs to: int (token,), -1 for special and absent tokens."""
        texts = [self.token_text(int(i)) for i in sample]
        pieces = "##s" in self.tokenizer.get_vocab()
        return np.array(tokens.word_numbers(texts, self.special_tokens(sample).tolist(), pieces), dtype=np.int64)

    @property
    def blank_token(self) -> int:
        """The token that stands for a masked one.

        The tokenizer's mask token; where it has none (causal models), its padding token, else its end-of-text token,
        else the token of a single space.
        """
        for index in (
            self.tokenizer.mask_token_id,
            self.tokenizer.pad_token_id,
            self.tokenizer.eos_token_id,
        ):
            if index is not None:
                return int(index)
        return self.token_index(" ")

    @property
    def stand_in_token(self) -> int:
        """What a text consists of when all its tokens were deleted: the token that begins texts, else a blank one."""
        for index in (self.tokenizer.bos_token_id, self.tokenizer.cls_token_id):
            if index is not None:
                return int(index)
        return self.blank_token

    def feature_labels(self, inputs: Array) -> Mapping[str, Any]:
        """The tokens' texts as "input_text", and which of them are there as "present"."""
        texts = np.empty(inputs.shape, dtype=object)
        for place, index in np.ndenumerate(inputs):
            texts[place] = self.token_text(int(index))
        dims = ("sample", "token")
        return {"input_text": (dims, texts), "present": (dims, inputs != ABSENT)}

    # -- scores ----------------------------------------------------------------------------------------------------

    def predict(self, inputs: Array) -> Floats:
        """Scores (sample, output) of encoded inputs."""
        inputs = self._ids(inputs)
        found = np.empty((len(inputs), self.output_count), dtype=np.float32)
        for rows in self._chunks(inputs):
            found[rows] = self._evaluated(rows, lambda rows=rows: self._forward(inputs[rows]))
        return found

    def scores(self, inputs: Array, targets: Targets) -> Floats:
        """The explained scores (sample,); only the targets' columns are computed where that suffices."""
        inputs = self._ids(inputs)
        found = np.empty(len(inputs), dtype=np.float32)
        for rows in self._chunks(inputs):
            found[rows] = self._evaluated(rows, lambda rows=rows: self._target_scores(inputs[rows], targets[rows]))
        return found

    def probabilities(self, inputs: Array, targets: Targets) -> Floats:
        """Softmax probabilities of the targets (sample,); of a contrast, the first one's."""
        inputs = self._ids(inputs)
        first = targets if targets.ndim == 1 else targets[:, 0]
        found = np.empty(len(inputs), dtype=np.float32)
        with self.scored_by("probability"):
            for rows in self._chunks(inputs):
                found[rows] = self._evaluated(rows, lambda rows=rows: self._target_scores(inputs[rows], first[rows]))
        return found

    @contextmanager
    def scored_by(self, score: Score) -> Iterator[None]:
        """Explain another score inside the block."""
        before, self.score = self.score, score
        try:
            yield
        finally:
            self.score = before

    def transformed(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (sample, output) in the space that is explained."""
        if self.score == "logit":
            return logits
        return logits.log_softmax(dim=-1) if self.score == "log-probability" else logits.softmax(dim=-1)

    def _forward(self, inputs: Array) -> Floats:
        import torch

        with torch.no_grad():
            batch = self.batch(inputs)
            with self.framed(batch.frame):
                return _numpy(self.score_tensor(batch, self.embeddings(batch)))

    def _target_scores(self, inputs: Array, targets: Targets) -> Floats:
        import torch

        with torch.no_grad():
            batch = self.batch(inputs)
            with self.framed(batch.frame):
                return _numpy(self.target_tensor(batch, self.embeddings(batch), self._target(targets)))

    # -- gradients -------------------------------------------------------------------------------------------------

    def continuous(self, inputs: Array) -> Floats:
        """Input embeddings (sample, token, width), as the model takes them in; 0 where there is no token."""
        import torch

        inputs = self._ids(inputs)
        with torch.no_grad():
            ids = torch.as_tensor(np.where(inputs >= 0, inputs, 0), device=self.device)
            found = self.module.get_input_embeddings()(ids).float().cpu().numpy()
        found[inputs < 0] = 0.0
        return np.asarray(found)

    def collapse(self, values: Floats) -> Floats:
        """Sum over the embedding's width: (sample, token, width) -> (sample, token)."""
        return np.asarray(values.sum(axis=-1))

    def point_scores(self, points: Floats, targets: Targets, inputs: Array | None = None) -> Floats:
        """The targets' scores (sample,) at points (sample, token, width); `inputs` says which tokens are there."""
        import torch

        inputs = self._points(points, inputs)
        found = np.empty(len(points), dtype=np.float32)

        def evaluate(rows: Array) -> Floats:
            with torch.no_grad():
                batch = self.batch(inputs[rows])
                with self.framed(batch.frame):
                    embeddings = self.embeddings(batch, self._compacted(batch, points[rows]))
                    return _numpy(self.target_tensor(batch, embeddings, self._target(targets[rows])))

        for rows in self._chunks(inputs):
            found[rows] = self._evaluated(rows, lambda rows=rows: evaluate(rows))
        return found

    def gradients(self, points: Floats, targets: Targets, inputs: Array | None = None) -> Floats:
        """Gradients of the targets' scores, of the shape of `points`; 0 where there is no token."""
        import torch

        inputs = self._points(points, inputs)
        found = np.zeros(points.shape, dtype=np.float32)

        def evaluate(rows: Array) -> Floats:
            batch = self.batch(inputs[rows])
            with torch.enable_grad(), self.framed(batch.frame), _constant(self.module):
                leaf = self._compacted(batch, points[rows]).requires_grad_(True)
                scores = self.target_tensor(batch, self.embeddings(batch, leaf), self._target(targets[rows]))
                (gradient,) = torch.autograd.grad(scores.sum(), leaf)
            placed = np.zeros((len(rows), *points.shape[1:]), dtype=np.float32)
            row, column = np.nonzero(batch.origin >= 0)
            placed[row, batch.origin[row, column]] = _numpy(gradient)[row, column]
            return placed

        for rows in self._chunks(inputs):
            found[rows] = self._evaluated(rows, lambda rows=rows: evaluate(rows), gradients=True)
        return found

    # -- sites -----------------------------------------------------------------------------------------------------

    def sites(self) -> Sequence[Site]:
        """The named sites; heads, positions and module paths name further ones."""
        return sites.all_sites(self)

    @contextmanager
    def intervene(self, *interventions: Intervention | Together) -> Iterator[TextModel]:
        """Change activations or weights inside a `with` block; undone on exit, also after an exception.

        Within a layer, changes are made in the order in which the sites are computed; at one site in the order given,
        those of an outer block first. Positions count each text's own tokens (in generation: those of the prompt).
        """
        parts: list[Intervention] = []
        for item in interventions:
            parts.extend(item if isinstance(item, Together) else (item,))
        with ExitStack() as stack:
            if any(isinstance(part, Edit) for part in parts):
                self._own_fingerprint()  # of the weights as they are before
            for part in sorted(parts, key=_causal_place):
                if isinstance(part, Edit):
                    stack.enter_context(self._edited(part))
                else:
                    sites.attach(self, part.address, _changer(part), stack)
            self._active.extend(parts)
            stack.callback(self._forget, parts)
            yield self

    def capture(self, inputs: Any, sites: Sequence[Site | str]) -> Activations:
        """Activations at `sites`, after the interventions in force.

        Returns
        -------
        Site (or its text) -> array (sample, [head,] token, width); scores and patterns are (sample, [head,] query,
        key), logits (sample, token, vocabulary). Tokens are each text's own, from its first on; a shorter text's row
        ends in zeros. With positions, the token axis holds these positions.
        """
        return self._captured(self.encode(inputs), [Site.parse(site) for site in sites])

    def _captured(self, inputs: Array, wanted: list[Site]) -> Activations:
        import torch

        longest = max(1, int(tokens.lengths_of(inputs).max()))
        found = Activations()
        for rows in self._chunks(inputs):
            seen: dict[Site, list[tuple[Any, Any]]] = {site: [] for site in wanted}

            def evaluate(rows: Array = rows, seen: dict[Site, list[tuple[Any, Any]]] = seen) -> None:
                with ExitStack() as stack, torch.no_grad():
                    for site in sorted(wanted, key=_place):
                        sites.attach(self, site, sites.recorder(seen[site]), stack)
                    batch = self.batch(inputs[rows])
                    stack.enter_context(self.framed(batch.frame))
                    self.run(batch, self.embeddings(batch), logits=any(site.kind == "logits" for site in wanted))

            self._evaluated(rows, evaluate)
            for site, parts in seen.items():
                if not parts:
                    raise SiteError(f"{site} is never computed when {self.name!r} runs; name another")
                values, valid = parts[-1]
                found[site] = _filled(found.get(site), site, rows, values, valid, len(inputs), longest)
        return found

    @abstractmethod
    def run(self, batch: Batch, embeddings: torch.Tensor, logits: bool) -> None:
        """Send a batch through for what the hooks see; without `logits` the outputs need not be computed."""

    # -- passes ----------------------------------------------------------------------------------------------------

    def batch(self, inputs: Array, prompt: Array | None = None) -> Batch:
        """Encoded texts as one padded batch on the model's device."""
        return tokens.make_batch(inputs, self.side, self.stand_in_token, self.device, prompt)

    def embeddings(self, batch: Batch, points: torch.Tensor | None = None) -> torch.Tensor:
        """Input embeddings (sample, column, width) of a batch; `points` take the place of its tokens' own."""
        import torch

        found = self.module.get_input_embeddings()(batch.ids)
        if batch.empty is not None:
            found = found.masked_fill(batch.empty[..., None], 0.0)
        if points is not None:
            inside = torch.as_tensor(batch.origin >= 0, device=found.device)
            found = points if bool(inside.all()) else points.where(inside[..., None], found)
        return self.embed_visited(found)

    def embed_visited(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Embeddings after what interventions do at the site `embed`."""
        for site, handler in self.embed_handlers:
            embeddings = visit(embeddings, site, self.frame or Frame.full(embeddings), handler)
        return embeddings

    @contextmanager
    def framed(self, frame: Frame) -> Iterator[None]:
        """Tell the hooks where the tokens are."""
        before, self.frame = self.frame, frame
        try:
            yield
        finally:
            self.frame = before

    def fingerprint(self) -> str:
        """A hash of weights, tokens and score; interventions in force are part of it."""
        own = self._own_fingerprint()
        facts: list[Any] = [self.kind, type(self).__name__, self.score, *self._facts(), own]
        return digest(*facts, *[_described(part) for part in self._active]) if self._active else digest(*facts)

    def _facts(self) -> list[Any]:
        return []

    def _own_fingerprint(self) -> str:
        if self._weights_fingerprint is None:
            weights = [[key, value.detach().float().cpu().numpy()] for key, value in self.module.state_dict().items()]
            self._weights_fingerprint = digest(str(self.module), weights)
        return self._weights_fingerprint

    def _ids(self, inputs: Array) -> Array:
        inputs = np.asarray(inputs)
        if inputs.ndim != 2 or inputs.dtype.kind not in "iu":
            raise InputError(f"{self.name!r} takes token ids (sample, token); encode the texts first")
        if len(inputs) == 0:
            raise InputError(f"no samples given to the model {self.name!r}")
        return inputs

    def _points(self, points: Floats, inputs: Array | None) -> Array:
        if points.ndim != 3 or points.shape[2] != self.width or len(points) == 0:
            raise InputError(
                f"points of {self.name!r} have the shape (sample, token, {self.width}), not {tuple(points.shape)}"
            )
        if inputs is None:
            return np.zeros(points.shape[:2], dtype=np.int64)
        if inputs.shape != points.shape[:2]:
            raise InputError(f"points of shape {tuple(points.shape)} for inputs of shape {tuple(inputs.shape)}")
        return self._ids(inputs)

    def _compacted(self, batch: Batch, points: Floats) -> torch.Tensor:
        import torch

        place = np.maximum(batch.origin, 0)[..., None]
        dtype = self.module.get_input_embeddings().weight.dtype
        return torch.as_tensor(np.take_along_axis(points, place, axis=1), device=self.device, dtype=dtype)

    def _target(self, targets: Targets) -> torch.Tensor:
        import torch

        return torch.as_tensor(np.ascontiguousarray(targets), device=self.device)

    def _chunks(self, inputs: Array) -> Iterator[Array]:
        """Row numbers of texts of similar length. Values that belong to rows or tokens keep all rows together."""
        lengths = np.maximum(tokens.lengths_of(inputs), 1)
        if any(_belongs_to_rows(part) for part in self._active):
            yield np.arange(len(inputs))
        else:
            yield from tokens.by_length(lengths, self.tokens_at_once, self.chunk)

    def _evaluated(self, rows: Array, function: Any, gradients: bool = False) -> Any:
        """Run one chunk: errors named, cost counted, answers checked."""
        try:
            found = function()
        except ExplicateError:
            raise
        except Exception as error:
            raise ModelError(
                f"the model {self.name!r} failed on {len(rows)} texts: {type(error).__name__}: {error}"
            ) from error
        spend(**{"gradients" if gradients else "evaluations": len(rows)})
        if found is not None and not np.isfinite(found).all():
            row = int(rows[np.flatnonzero(~np.isfinite(found).reshape(len(rows), -1).all(axis=1))[0]])
            what = "gradient" if gradients else "score"
            raise NonFiniteScoreError(f"the model {self.name!r} gave a {what} that is NaN or infinite for sample {row}")
        return found

    @contextmanager
    def _edited(self, edit: Edit) -> Iterator[None]:
        import torch

        path = edit.address.kind
        known = dict(self.module.named_parameters())
        if path not in known:
            raise sites.unknown_parameter(self.name, path, list(known))
        parameter = known[path]
        original = parameter.data
        with torch.no_grad():
            changed = edit.apply(original)
        if changed.shape != original.shape:
            raise InputError(
                f"{path}: a change of shape {tuple(changed.shape)} for a weight of {tuple(original.shape)}"
            )
        parameter.data = changed
        try:
            yield
        finally:
            parameter.data = original  # the very tensor that was there, so every bit is as before

    def _forget(self, parts: list[Intervention]) -> None:
        for part in parts:
            self._active.remove(part)


class Activations(dict[Site, Floats]):
    """Activations by site; a site's text finds it too."""

    def __missing__(self, key: Any) -> Floats:
        if isinstance(key, str):
            site = Site.parse(key)
            if site in self:
                return self[site]
        raise SiteError(f"{key} was not captured; captured are {', '.join(map(str, self)) or 'no sites'}")


def _changer(part: Intervention) -> Handler:
    def change(activation: torch.Tensor, selection: Selection) -> torch.Tensor:
        found: torch.Tensor = part.apply(activation)
        return found

    return change


def _place(site: Site) -> tuple[int, int]:
    if site.kind == "embed":
        return (-1, 0)
    if site.kind in GLOBAL or site.layer is None:
        return (1 << 30, 0)
    return (site.layer, sites.CAUSAL_ORDER.index(site.kind))


def _causal_place(part: Intervention) -> tuple[int, int]:
    return _place(part.address)


def _belongs_to_rows(part: Intervention) -> bool:
    """Whether a value has an axis for samples or tokens, so that all rows must stay together and in order."""
    if isinstance(part, Scale | Edit | Project):
        return False
    if isinstance(part, Patch):
        return np.ndim(part.value) > 1
    if isinstance(part, Steer):
        return np.ndim(part.direction) > 1
    if isinstance(part, Ablate):
        return part.how != "zero" and np.ndim(part.reference) > 2
    return True


def _described(part: Intervention) -> list[Any]:
    found: list[Any] = [type(part).__name__]
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if hasattr(value, "detach"):
            value = value.detach().float().cpu().numpy()
        elif isinstance(value, Site):
            value = str(value)
        found.append([field.name, value])
    return found


def _filled(
    so_far: Floats | None, site: Site, rows: Array, values: Floats, valid: Array | None, count: int, longest: int
) -> Floats:
    """Put one chunk's activations into the array of all samples, zeros where a text has no token."""
    if valid is not None:
        values = np.where(valid.reshape(len(rows), *[1] * (values.ndim - 3), -1, 1), values, 0.0)
    if so_far is None:
        places = values.shape[-2] if site.positions is not None else longest
        width = longest if site.kind in ("scores", "pattern") else values.shape[-1]
        so_far = np.zeros((count, *values.shape[1:-2], places, width), dtype=np.float32)
    so_far[rows, ..., : values.shape[-2], : values.shape[-1]] = values
    return so_far


@contextmanager
def _constant(module: Any) -> Iterator[None]:
    """Weights as constants: a backward pass to the inputs then keeps much less."""
    changed = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in changed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in changed:
            parameter.requires_grad_(True)


def _numpy(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.detach().float().cpu().numpy())
