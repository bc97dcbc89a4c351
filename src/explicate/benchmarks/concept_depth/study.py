"""Concept depth: one probe a layer, read as the depth at which a task becomes decodable.

Source: Jin et al. (2025), "Exploring Concept Depth: How Large Language Models Acquire Knowledge and Concepts at
Different Layers?", COLING, arXiv 2404.07066. Ours beside it: standardised and converged probes, splits by subject,
repeated splits, control labels, a bag of words. A depth says where something can be read, not where it is used: for
that, patch (`explicate.sweep`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.benchmarks.concept_depth.prompting import encoded
from explicate.benchmarks.concept_depth.tasks import ProbingTask
from explicate.core.capabilities import Array, Floats, Transparent, require
from explicate.core.cost import measure
from explicate.core.kinds import Profile
from explicate.core.method import Parameterised
from explicate.core.sites import LAYERED, Site
from explicate.errors import InputError
from explicate.mechanisms.probing import LinearProbe, Probe, ProbeSweep, Shards, capture_shards
from explicate.mechanisms.probing.depth import Rule, convergence_point, jump_point, peak_point
from explicate.models.language.open_model import OpenModel
from explicate.models.language.quantisation import fake_quant

Split = Literal["rows", "subjects", "repo"]
POST_ATTENTION_NORM = "post_attention_norm"
HELD = 0.1
WORDS = 3000


@dataclass(frozen=True)
class ConceptDepth(Parameterised):
    """Profile a task through a model's layers.

    Parameters
    ----------
    site : "resid_post" (what a block puts out), any other kind of site without heads, or "post_attention_norm" (what
        the norm after attention puts out, as in the published code).
    probe : L2 logistic regression on standardised features by default; `EstimatorProbe()` is the published one.
    repeats, test_share : splits.
    split : "rows" at random; "subjects": a subject is on one side; "repo": scikit-learn's split with seed 42, once.
    noise, noise_seed : three letters before each text, for training and test, and what they are drawn with.
    bits : 32, or 16, 8, 4 for rounded weights (see `fake_quant`).
    embedding : whether the embedding is probed too. Its last token is a full stop or a cue word, the same in all
        prompts: chance by construction, which is no depth.
    control : control labels beside each probe.
    """

    name: ClassVar[str] = "concept-depth"

    site: str = "resid_post"
    probe: Probe = field(default_factory=LinearProbe)
    repeats: int = 5
    test_share: float = 0.4
    split: Split = "rows"
    noise: bool = False
    noise_seed: int = 0
    bits: int = 32
    embedding: bool = False
    control: Literal["shuffled", "none"] = "shuffled"

    def run(
        self,
        model: OpenModel,
        task: ProbingTask,
        *,
        untrained: OpenModel | None = None,
        folder: str | Path | None = None,
        seed: int = 0,
    ) -> Profile:
        """Probe every layer.

        Parameters
        ----------
        untrained : a model of the same shape that learned nothing, as a baseline.
        folder : where activations are kept, so that another probe or split finds them; None: nowhere.
        seed : of splits and control labels.

        Returns
        -------
        Profile : of the layers, with the attributes `task`, `group`, `positive` (what label 1 is), `noise`, `bits`,
            `split`, `truncated` (prompts that were cut), and `words` (accuracy of a bag of words on the same splits);
            see `depth_points`.

        Raises
        ------
        CapabilityError : the model's sites cannot be read. InputError : a parameter out of its range.
        """
        require(model, Transparent, self.name)
        labels = np.asarray(task.labels)
        train = self._split(task, seed)
        groups = task.subjects if self.split == "subjects" else None
        sweep = ProbeSweep(self.probe, self.repeats, self.test_share, self.control)
        with measure() as cost, tempfile.TemporaryDirectory() as temporary:
            shards, cut = self.activations(model, task, folder or temporary)
            plain = None
            if untrained is not None:
                place = Path(folder) / "untrained" if folder else Path(temporary) / "untrained"
                plain, _ = self.activations(untrained, task, place)
            found = sweep.run(shards, labels, groups=groups, train=train, untrained=plain, seed=seed)
            words = self._words(task, sweep, groups, train, seed)
        found.data.attrs.update(
            task=task.name,
            group=task.group,
            positive=task.positive,
            noise=int(self.noise),
            bits=self.bits,
            split=self.split,
            truncated=cut,
            words=words,
        )
        facts = {"method": self.name, "parameters": self.parameters(), **cost.spent()}
        return Profile(found.data, replace(found.provenance, **facts))

    def activations(self, model: OpenModel, task: ProbingTask, folder: str | Path) -> tuple[Shards, int]:
        """The last token's activations of all layers under noise and rounding, and how many prompts were cut."""
        ids, cut = encoded(model, task, self.noise, self.noise_seed)
        with ExitStack() as stack:
            quantised = fake_quant(model, self.bits)
            if quantised.parts:
                stack.enter_context(model.intervene(quantised))
            return capture_shards(model, ids, self.sites(model), folder), cut

    def sites(self, model: OpenModel) -> list[Site]:
        """The sites that are probed."""
        first = [Site("embed")] if self.embedding else []
        if self.site == POST_ATTENTION_NORM:
            return [*first, *_norms_after_attention(model)]
        if self.site not in LAYERED:
            raise InputError(
                f"site {self.site!r} is no kind of layer site; use {POST_ATTENTION_NORM} or one of {', '.join(LAYERED)}"
            )
        return [*first, *(Site(self.site, layer) for layer in range(model.layer_count))]

    def _split(self, task: ProbingTask, seed: int) -> Array | None:
        if self.split not in ("rows", "subjects", "repo"):
            raise InputError(f"split {self.split!r} is unknown; use 'rows', 'subjects' or 'repo'")
        if self.split == "subjects" and task.subjects is None:
            raise InputError(f"task {task.name!r} does not say what its texts are about; use split='rows'")
        if self.split != "repo":
            return None
        from sklearn.model_selection import train_test_split

        rows = np.zeros(len(task), dtype=bool)
        rows[train_test_split(np.arange(len(task)), test_size=self.test_share, random_state=42)[0]] = True
        return rows

    def _words(self, task: ProbingTask, sweep: ProbeSweep, groups: Any, train: Array | None, seed: int) -> float:
        """Accuracy of the same probe on counts of words."""
        counts = bag_of_words(task.read_texts(self.noise, self.noise_seed))
        bare = replace(sweep, control="none", intervals=False)
        found = bare.run({"words": counts}, np.asarray(task.labels), groups=groups, train=train, seed=seed)
        return float(found["score"].values[0, 0])


@dataclass(frozen=True)
class DepthPoints:
    """Where a task is held, as shares of the depth in (0, 1].

    Attributes
    ----------
    jump, converge, peak : see `explicate.mechanisms.probing.depth`; None where there is no such layer.
    accuracy : at the peak. selectivity : the most by which a layer's accuracy is above its control's.
    held : depth of the first layer with a selectivity above 0.1; None where no layer holds the task.
    layers : of the model; a depth times this is a layer, counted from 1.
    """

    jump: float | None
    converge: float | None
    peak: float
    accuracy: float
    selectivity: float | None
    held: float | None
    layers: int


def depth_points(profile: Profile, rule: Rule = "plateau") -> DepthPoints:
    """Depth points of a profile of one kind of site; the embedding is left out."""
    own = profile.isel(site=np.flatnonzero(profile["layer"].values >= 0))
    accuracy = own.curve()
    if "control" in own.data:
        selectivity = accuracy - own.curve("control")
        held = np.flatnonzero(selectivity > HELD)
        gained, first = float(selectivity.max()), float((held[0] + 1) / len(accuracy)) if len(held) else None
    else:
        gained, first = None, None
    return DepthPoints(
        jump_point(accuracy),
        convergence_point(accuracy, rule),
        peak_point(accuracy),
        float(accuracy.max()),
        gained,
        first,
        len(accuracy),
    )


def bag_of_words(texts: Sequence[str]) -> Floats:
    """How often each of the most frequent words stands in each text: float32 (sample, word)."""
    from sklearn.feature_extraction.text import CountVectorizer

    counts = CountVectorizer(max_features=WORDS, token_pattern=r"(?u)\b\w+\b").fit_transform(texts)
    return np.asarray(counts.toarray(), dtype=np.float32)


def _norms_after_attention(model: OpenModel) -> list[Site]:
    names = {id(module): name for name, module in model.module.named_modules()}
    try:
        return [Site(names[id(block.get_submodule("post_attention_layernorm"))]) for block in model.blocks]
    except AttributeError as error:
        raise InputError(f"{model.name!r} has no norm after attention; use site='resid_post'") from error
