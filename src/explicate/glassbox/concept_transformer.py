"""Concept transformers: classifiers of pictures or states whose scores are an exact sum over concepts.

Source: Hong, Park, Pavlic (2024), "Concept-Centric Transformers: Enhancing Model Interpretability through
Object-Centric Concept Learning within a Shared Global Workspace", arXiv 2305.15775; the baseline is Rigotti, Miksovic,
Giurgiu, Gschwind, Scotton (2022), "Attention-based Interpretability with Concept Transformers".
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.core.kinds import Concepts
from explicate.core.provenance import Provenance
from explicate.core.registry import register, unknown
from explicate.errors import InputError
from explicate.glassbox.concept_targets import STREAMS, Targets, read_targets
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.kinds import texts
from explicate.glassbox.parameters import check_choice, check_weight, plain
from explicate.models.tiny.token_classifier import Backbone, TokenClassifier
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    from explicate.models.tiny.concept_head import Memory, Reading

MEMORIES = ("sa", "isa", "bo_qsa", "static")


@register("concept-centric-transformer", "glassboxes")
class ConceptCentricTransformer(TokenClassifier, GlassBox):
    """A transformer whose head finds concepts in the case with slots, and adds up what each gives to each class.

    Up to three streams: concepts of the whole case ("global") and of each token ("spatial"), trained against targets
    where there are some, and concepts of the whole case that it finds by itself ("unsupervised"). Contributions are
    ranked, not attention: heads differ in what they make of a concept. scikit-learn's `check_estimator` does not apply,
    for cases are no tables. A case's concepts come from a trained network, so the explanation of the whole is replayed
    on the explanation of cases.

    Parameters
    ----------
    memory : "sa", slots that begin as noise around one mean (in use the noise is one draw, from the seed, so that two
        calls agree); "isa" and "bo_qsa", slots that begin as a learned row each; "static", concepts that do not depend
        on the case.
    slot_input : "tokens", all that slots compete for, or "cls", the summary alone, which gives every slot one update.
    spatial_memory : "slots", or "static" for the spatial stream.
    global_concepts, spatial_concepts, unsupervised_concepts : numbers; 0 takes those of the targets, or leaves out.
    explanation, sparsity : weights of the squared distance to the targets and of the attention's entropy.
    backbone ... seed : see `TokenClassifier`; the backbone begins untrained, so the learning rate is far above the
        paper's 1e-5 to 5e-5.

    Attributes
    ----------
    classes_ : (class,) the labels, sorted. concepts_ : names by stream. module_ : backbone and head.
    """

    reads_cases: ClassVar[bool] = False

    def __init__(
        self,
        memory: Memory = "sa",
        slot_input: Literal["tokens", "cls"] = "tokens",
        spatial_memory: Literal["slots", "static"] = "slots",
        global_concepts: int = 0,
        spatial_concepts: int = 0,
        unsupervised_concepts: int = 0,
        explanation: float = 1.0,
        sparsity: float = 0.5,
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
        super().__init__(
            backbone, patch, width, layers, heads, hidden, dropout, epochs, warm_epochs, learning_rate, weight_decay,
            batch, validation, seed,
        )  # fmt: skip
        self.memory = memory
        self.slot_input = slot_input
        self.spatial_memory = spatial_memory
        self.global_concepts = global_concepts
        self.spatial_concepts = spatial_concepts
        self.unsupervised_concepts = unsupervised_concepts
        self.explanation = explanation
        self.sparsity = sparsity

    def fit(
        self,
        X: Any,
        y: Any,
        global_targets: Any = None,
        spatial_targets: Any = None,
        names: Mapping[str, Sequence[str]] | None = None,
    ) -> Self:
        """Train backbone and head.

        Parameters
        ----------
        X : (case, channel, row, column) pictures or (case, token, feature) states. y : (case,) labels.
        global_targets : (case, concept), 0 or 1; NaN is unknown, and so is a row that sums to 0. A data frame names
            the concepts. spatial_targets : (case, token, concept) alike.
        names : of the concepts by stream.

        Raises
        ------
        InputError : targets of another width, number of tokens or cases; negative ones; no concepts at all; a parameter
            out of its range.
        ModelError : the loss became NaN or infinite.
        """
        import torch
        from torch.nn.functional import cross_entropy

        from explicate.models.tiny.concept_head import ConceptHead, explanation_loss, sparsity_loss

        check_choice("memory", self.memory, MEMORIES)
        check_weight(explanation=self.explanation, sparsity=self.sparsity)
        tokens, codes = self._begin(X, y)
        counts = {stream: getattr(self, f"{stream}_concepts") for stream in STREAMS}
        given = read_targets({"global": global_targets, "spatial": spatial_targets}, counts, names, len(tokens))
        self.concepts_ = given.names
        targets = {stream: torch.as_tensor(each) for stream, each in given.values.items()}

        def make(width: int) -> Any:
            return ConceptHead(
                width, len(self.classes_), memory=self.memory, slot_input=self.slot_input,
                spatial_memory=self.spatial_memory, heads=self.heads, dropout=self.dropout, seed=self.seed,
                **{f"{stream}_concepts": len(own) for stream, own in self.concepts_.items()},
            )  # fmt: skip

        def loss(head: Any, found: Any, rows: torch.Tensor) -> torch.Tensor:
            reading = head(*found)
            total = cross_entropy(reading.logits, codes[rows])
            if self.explanation:
                own = {stream: each[rows] for stream, each in targets.items()}
                total = total + self.explanation * explanation_loss(reading.attention, own)
            return total + self.sparsity * sparsity_loss(reading.attention) if self.sparsity else total

        def judged(head: Any, found: Any, rows: torch.Tensor) -> torch.Tensor:
            return cross_entropy(head(*found).logits, codes[rows])

        self._check_tokens(given, tokens)
        self._train(make, tokens, loss, judged)
        self._means = self._class_means(X, codes.numpy())
        return self

    @classmethod
    def for_table(cls, rows: int, classes: int) -> None:
        """Nothing for a table: its rows are neither pictures nor sequences."""

    def attend(self, X: Any) -> dict[str, Floats]:
        """By stream, how much each query (summary, or token) attends to each concept: (case, query, concept)."""
        return self._read(X)[1]

    def contributions(self, X: Any) -> Floats:
        """(case, concept, class): what each concept adds to each class; with `intercept_` they add up to the logits."""
        return self._read(X)[0]

    @property
    def intercept_(self) -> Floats:
        """(class,): the streams' biases, added up."""
        head = self._fitted()["head"]
        return np.asarray(sum(stream.out.bias.detach().double().numpy() for stream in head.streams.values()))

    def intervene(
        self,
        X: Any,
        masked: Sequence[str] = (),
        attention: Mapping[str, Any] | None = None,
    ) -> Concepts:
        """The explanation of cases under an intervention; replay it to get the predictions.

        Parameters
        ----------
        masked : names of concepts whose attention becomes 0, that of the others brought to sum 1 again.
        attention : by stream, rows (case, query, concept) in the place of the model's; they are brought to sum 1.

        Raises
        ------
        InputError : rows of another shape, with negative entries, or all zero; all concepts of a stream masked.
        UnknownNameError : no such concept.
        """
        places: dict[str, list[int]] = {}
        for name in masked:
            stream, place = self._place(name)
            places.setdefault(stream, []).append(place)
        return self._explained(X, places, dict(attention or {}))

    def explain(self, X: Any = None) -> Concepts:
        """Means over the training cases of each class (X is None), or what each concept adds for each case of X.

        `activation` is the attention (of the spatial stream the mean over the tokens), `contribution` (sample, concept,
        label) what counts. `spatial_attention` (sample, token, spatial concept) and `inputs` are there for cases.
        """
        self._fitted()
        return self._explained(X, {}, {})

    @classmethod
    def replay(cls, explanation: Explanation, X: Any = None) -> Array:
        """Labels from contributions alone.

        Parameters
        ----------
        X : for the explanation of the whole: the explanation of some cases, which has their contributions.
        """
        cases = explanation if X is None else X
        if not isinstance(cases, Concepts) or "contribution" not in cases.data:
            raise InputError("a case reaches the concepts through the network; give explain(X) instead of X")
        if cases.data.attrs.get("samples") == "classes":
            raise InputError("the explanation is of the whole model, not of cases; give explain(X) to replay it on")
        scores = _added(cases["contribution"].values, explanation.data["intercept"].values)
        return np.asarray(explanation.data["label"].values[scores.argmax(axis=1)])

    # -- how -----------------------------------------------------------------------------------------------------------

    def _scores(self, X: Any) -> Floats:
        return _added(self._read(X)[0], self.intercept_)

    def _read(
        self, X: Any, masked: Mapping[str, list[int]] | None = None, attention: Mapping[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Floats]]:
        """Contributions (case, concept, class) of all streams one after the other, and the attention of each."""
        import torch

        from explicate.models.tiny.token_classifier import CHUNK

        head, present = self._fitted()["head"], self._present()
        rows = {stream: torch.as_tensor(np.asarray(each)).float() for stream, each in (attention or {}).items()}
        cases = len(self._cases(X))
        for stream, each in rows.items():
            if stream in present and len(each) != cases:
                raise InputError(f"attention rows of {len(each)} cases for {cases}; give one for each")
        done = 0

        def read(tokens: Any, summary: Any) -> list[Any]:
            nonlocal done
            own = {}
            for stream, each in rows.items():
                part = each[done : done + CHUNK]
                own[stream] = torch.cat([part, part[-1:].expand(CHUNK - len(part), *part.shape[1:])])
            done += CHUNK
            found: Reading = head(tokens, summary, attention=own, masked=masked)
            together = torch.cat([found.contributions[stream] for stream in present], dim=1)
            return [together, *(found.attention[stream] for stream in present)]

        contributions, *each_stream = self._through(X, read)
        return contributions, dict(zip(present, each_stream, strict=True))

    def _explained(self, X: Any, masked: dict[str, list[int]], attention: dict[str, Any]) -> Concepts:
        start = time.perf_counter()
        present = self._present()
        streams = [stream for stream in present for _ in self.concepts_[stream]]
        labels = texts(self.classes_) if self.classes_.dtype.kind in "OUST" else self.classes_
        coordinates = {
            "concept": texts(name for stream in present for name in self.concepts_[stream]),
            "stream": ("concept", texts(streams)),
            "label": labels,
        }
        if X is None:
            activation, contribution = self._means
            coordinates["sample"] = texts(self.classes_)
        else:
            contribution, rows = self._read(X, masked, attention)
            activation = np.concatenate([rows[stream].mean(axis=1) for stream in present], axis=1)
        data = xr.Dataset(
            {
                "activation": (("sample", "concept"), activation),
                "contribution": (("sample", "concept", "label"), contribution),
                "intercept": ("label", self.intercept_),
            },
            coordinates,
            {"samples": "classes" if X is None else "cases"},
        )
        if X is not None:
            cases = self._cases(X)
            dims = ("channel", "row", "column") if cases.ndim == 4 else ("token", "feature")
            data = data.assign(inputs=(("sample", *dims), cases))
            if "spatial" in rows:
                data = data.assign(spatial_attention=(("sample", "token", "spatial_concept"), rows["spatial"]))
                data = data.assign_coords(spatial_concept=texts(self.concepts_["spatial"]))
            if self.grid_ is not None:
                data.attrs["grid"] = list(self.grid_)
        provenance = Provenance(
            method=self.name,
            parameters={key: plain(value) for key, value in self.get_params().items() if key != "backbone"},
            model=type(self).__name__,
            model_fingerprint=self._fingerprint(),
            inputs_fingerprint="" if X is None else digest(self._cases(X)),
            seed=self.seed,
            evaluations=0 if X is None else len(activation),
            seconds=time.perf_counter() - start,
        )
        return Concepts(data, provenance)

    def _fingerprint(self) -> str:
        return digest(*(value.numpy() for value in self._fitted().state_dict().values()), self.classes_.tolist())

    def _class_means(self, X: Any, codes: Array) -> tuple[Floats, Floats]:
        contributions, rows = self._read(X)
        attention = np.concatenate([each.mean(axis=1) for each in rows.values()], axis=1)
        classes = range(len(self.classes_))
        return (
            np.stack([attention[codes == place].mean(axis=0) for place in classes]),
            np.stack([contributions[codes == place].mean(axis=0) for place in classes]),
        )

    def _present(self) -> list[str]:
        return [stream for stream in STREAMS if self.concepts_[stream]]

    def _place(self, name: str) -> tuple[str, int]:
        for stream in self._present():
            if name in self.concepts_[stream]:
                return stream, self.concepts_[stream].index(name)
        raise unknown(name, [each for stream in self._present() for each in self.concepts_[stream]], "concept")

    def _check_tokens(self, given: Targets, tokens: Any) -> None:
        """Refuse spatial targets of another number of tokens, before an epoch is spent."""
        spatial = given.values.get("spatial")
        if spatial is not None and self.backbone is None and spatial.shape[1] != tokens.shape[1]:
            raise InputError(
                f"spatial targets of {spatial.shape[1]} tokens for cases of {tokens.shape[1]}; give as many"
            )


@register("concept-transformer", "glassboxes")
class ConceptTransformer(ConceptCentricTransformer):
    """CT, the baseline: the same head with learned concepts that do not depend on the case.

    Parameters
    ----------
    global_concepts ... seed : see `ConceptCentricTransformer`, with `memory="static"`.
    """

    def __init__(
        self,
        global_concepts: int = 0,
        spatial_concepts: int = 0,
        unsupervised_concepts: int = 0,
        explanation: float = 1.0,
        sparsity: float = 0.5,
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
        super().__init__(
            "static", "tokens", "static", global_concepts, spatial_concepts, unsupervised_concepts, explanation,
            sparsity, backbone, patch, width, layers, heads, hidden, dropout, epochs, warm_epochs, learning_rate,
            weight_decay, batch, validation, seed,
        )  # fmt: skip


def _added(contributions: Array, intercept: Array) -> Floats:
    """(case, class) scores, added concept after concept so that replays add alike."""
    scores = np.zeros((len(contributions), contributions.shape[2])) + intercept
    for place in range(contributions.shape[1]):
        scores = scores + contributions[:, place]
    return np.asarray(scores)
