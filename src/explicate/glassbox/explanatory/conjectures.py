"""The conjecture generator: reads a table of tagged structures and writes rules that might be behind it.

Source: Norelli et al. (2022), arXiv 2201.10222, section 3 ("conscious empiricist").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.cost import spend
from explicate.data.odeen import CELLS, Phenomena, all_structures, symbol_features
from explicate.errors import InputError
from explicate.glassbox.explanatory.beam import Conjecture, beam_search
from explicate.glassbox.explanatory.interpreter import as_codes
from explicate.glassbox.explanatory.shapes import SMALL_SHAPE, NetworkShape
from explicate.glassbox.explanatory.training import TableBatch, TableSamples, fingerprint, tag_loss, word_loss
from explicate.glassbox.explanatory.words import Words
from explicate.models.tiny.descent import DecoderRecipe
from explicate.models.tiny.drawn import trained
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch

Learns = Literal["both", "tags", "rules"]
"""What a network that reads tables is trained to give."""

UNKNOWN = 2  # the tag of a structure whose tag is not given
RULE_WEIGHT = 100.0  # of the rule's words against the tags, in the loss

GENERATOR_RECIPE = DecoderRecipe(
    steps=600,
    batch=128,
    learning_rate=2e-3,
    weight_decay=0.1,
    warmup=100,
    clip=100.0,
    checkpoints=(300, 450),
    save_every=100,
)
"""77,000 tables with eight further structures each: some two minutes of one core. More learn the rules by heart."""

PAPER_GENERATOR_RECIPE = DecoderRecipe(
    steps=56_000,
    batch=512,
    learning_rate=3e-4,
    weight_decay=0.0,
    schedule="constant",
    clip=100.0,
    save_every=1000,
)


@dataclass(frozen=True, eq=False)
class ConjectureGenerator:
    """A network from a table to rules, and to tags of other structures.

    Attributes
    ----------
    learns : "both", or one of them alone ("tags", "rules"); see `EmpiricistBaseline`.
    shape, words : its size, and the words that it writes. module : the network.
    """

    learns: Learns
    shape: NetworkShape
    words: Words
    module: torch.nn.Module

    @classmethod
    def build(cls, words: Words, shape: NetworkShape = SMALL_SHAPE, learns: Learns = "both") -> Self:
        """An untrained one; its weights come from torch's generator."""
        import torch

        from explicate.models.tiny.rule_modules import ConjectureModule

        if learns not in ("both", "tags", "rules"):
            raise InputError(f"learns is {learns!r}; use both, tags or rules")
        features = torch.tensor(symbol_features())
        module = ConjectureModule(
            words.count,
            features,
            CELLS,
            words.longest + 2,
            **shape.options(),
            tags=learns != "rules",
            rules=learns != "tags",
        )
        return cls(learns, shape, words, module.eval())

    @classmethod
    def train(
        cls,
        phenomena: Phenomena,
        validation: Phenomena | None = None,
        *,
        words: Words | None = None,
        shape: NetworkShape = SMALL_SHAPE,
        recipe: DecoderRecipe = GENERATOR_RECIPE,
        learns: Learns = "both",
        size: int = 32,
        queries: int = 8,
        cache: bool = True,
    ) -> Self:
        """Train one, or read it from the user's cache.

        Parameters
        ----------
        phenomena : what tables are drawn from, anew for every item; a table that stays is learned by heart.
        validation : other phenomena, by whose tables the best checkpoint is taken.
        learns : "both": tags, and `RULE_WEIGHT` times the rule's words; or one of them alone. "rules" also sees the
            `queries` structures, with no tags.
        size, queries : observations of a table, and further structures to tag.
        """
        words = words or Words.of(phenomena.rules)
        samples = TableSamples(phenomena, words, size, queries)

        def loss(module: Any, batch: TableBatch) -> Any:
            return _loss(module, batch, learns)

        def validate(module: Any) -> float:
            assert validation is not None
            batch = TableBatch(
                all_structures()[validation.tables].astype(np.int64),
                validation.table_tags.astype(np.int64),
                words.encode(validation.rules, ends=True),
                all_structures()[validation.structures[:, :queries]].astype(np.int64),
                validation.tags[:, :queries],
            )
            return float(_loss(module, batch, learns))

        data = [fingerprint(part) for part in (phenomena, validation) if part is not None]
        module = trained(
            lambda: cls.build(words, shape, learns).module,
            samples.batch,
            loss,
            recipe,
            ("generator", learns, asdict(shape), asdict(words), size, queries, *data),
            {"both": "conjecture generator", "tags": "empiricist of tags", "rules": "empiricist of rules"}[learns],
            None if validation is None else validate,
            cache,
        )
        return cls(learns, shape, words, module)

    def conjectures(
        self,
        structures: Sequence[str] | Array,
        tags: Sequence[bool] | Array,
        beam: int = 300,
        others: Sequence[str] | Array = (),
    ) -> list[Conjecture]:
        """Rules for one table, likeliest first: different strings, at most `beam` of them.

        Parameters
        ----------
        others : structures without tags, for a network that learned rules alone.

        Raises
        ------
        InputError : a structure that is none; other numbers of structures and tags; the network writes no rules.
        """
        if self.learns == "tags":
            raise InputError("this network learned tags alone and writes no rules; train one with learns='both'")
        codes, known = self._table(structures, tags)
        if self.learns == "rules" and len(others):
            more = as_codes(others)
            codes = np.concatenate([codes, more])
            known = np.concatenate([known, np.full(len(more), UNKNOWN)])
        return beam_search(self.module, codes, known, self.words, beam)

    def tags(
        self, structures: Sequence[str] | Array, tags: Sequence[bool] | Array, queries: Sequence[str] | Array
    ) -> Masks:
        """(query,): what its decoder of tags says of other structures, given a table."""
        import torch

        if self.learns == "rules":
            raise InputError("this network learned rules alone and tags no structures; train one with learns='both'")
        codes, known = self._table(structures, tags)
        asked = as_codes(queries)
        module: Any = self.module
        with torch.inference_mode():
            memory = module.read(torch.as_tensor(codes)[None], torch.as_tensor(known)[None])
            logits = module.judge(memory, torch.as_tensor(asked)[None], None)[0].numpy()
        spend(evaluations=len(asked))
        found: Masks = logits[:, 1] > logits[:, 0]
        return found

    @staticmethod
    def _table(structures: Sequence[str] | Array, tags: Sequence[bool] | Array) -> tuple[Array, Array]:
        codes = as_codes(structures)
        known = np.asarray(tags, dtype=bool).astype(np.int64)
        if known.shape != (len(codes),):
            raise InputError(f"{len(codes)} structures and {known.size} tags; give one tag for each structure")
        return codes, known

    def fingerprint(self) -> str:
        """A content hash."""
        weights: list[Floats] = [value.detach().numpy() for value in self.module.parameters()]
        return digest(self.learns, asdict(self.shape), asdict(self.words), weights)

    def __repr__(self) -> str:
        count = sum(value.numel() for value in self.module.parameters())
        return f"ConjectureGenerator(learns {self.learns}, {count:,} weights)"


def _loss(module: Any, batch: TableBatch, learns: Learns) -> Any:
    import torch

    structures, tags = batch.structures, batch.tags
    if learns == "rules":
        structures = np.concatenate([structures, batch.queries], axis=1)
        tags = np.concatenate([tags, np.full(batch.queries.shape[:2], UNKNOWN)], axis=1)
    memory = module.read(torch.as_tensor(structures), torch.as_tensor(tags))
    parts = []
    if learns != "rules":
        parts.append(tag_loss(module.judge(memory, torch.as_tensor(batch.queries), None), batch.answers))
    if learns != "tags":
        logits = module.next_words(memory, torch.as_tensor(batch.rules))
        parts.append(RULE_WEIGHT * word_loss(logits, batch.rules))
    return sum(parts)
