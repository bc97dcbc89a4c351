"""Small sentence classifiers: word vectors, a bidirectional LSTM, attention over its states, two classes.

Source of the sizes and the training: Hase and Bansal (2020), arXiv 2005.01831, appendix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array, Floats, ModelKind, Targets
from explicate.data.language.labelled_texts import LabelledTexts
from explicate.data.language.word_vectors import read_vectors, vector_table
from explicate.errors import InputError
from explicate.models.base import Model
from explicate.models.tiny.categories import BestWeights
from explicate.models.tiny.training import descend
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import torch

PADDING, UNKNOWN = 0, 1
HIDDEN = 50
EXTRACTOR = ("vectors", "lstm", "attention")
HELD = 1 << 15  # words sent through at once


class Vocabulary:
    """Words and their codes; 0 fills rows up, 1 is any word that is not known.

    Parameters
    ----------
    sentences : texts whose words are set apart by blanks. least : words that occur less often are not known.
    """

    def __init__(self, sentences: Iterable[str], least: int = 2) -> None:
        counts = Counter(word for text in sentences for word in text.split())
        self.words = ("", "<unknown>", *sorted(word for word, count in counts.items() if count >= least))
        self.code = {word: place for place, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, sentences: Sequence[str]) -> Array:
        """Codes (sentence, place), filled up with 0 on the right.

        Raises
        ------
        InputError : no sentence, or one without words.
        """
        rows = [[self.code.get(word, UNKNOWN) for word in text.split()] for text in sentences]
        empty = [number for number, row in enumerate(rows) if not row]
        if not rows or empty:
            raise InputError(f"sentence {empty[0]} has no words" if empty else "no sentences given")
        found = np.zeros((len(rows), max(map(len, rows))), dtype=np.int64)
        for place, row in enumerate(rows):
            found[place, : len(row)] = row
        return found


def sentence_network(
    vectors: Array, classes: int = 2, bottleneck: int | None = None, dropout: float = 0.5, hidden: int = HIDDEN
) -> torch.nn.Module:
    """An untrained network: vectors, a bidirectional LSTM, attention pooling, perhaps a narrow sigmoid layer, logits.

    Parameters
    ----------
    vectors : of the words (code, number), from which the learned ones begin. classes : outputs.
    bottleneck : width of a sigmoid layer before the last one; None leaves it out.
    dropout : share of the numbers of word vectors and of the pooled state that are left out in training.
    hidden : width of the LSTM's state in each direction.
    """
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    class SentenceNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vectors = nn.Embedding.from_pretrained(
                torch.as_tensor(vectors, dtype=torch.float32).clone(), freeze=False, padding_idx=PADDING
            )
            self.lstm = nn.LSTM(vectors.shape[1], hidden, batch_first=True, bidirectional=True)
            self.attention = nn.Linear(2 * hidden, 1)
            self.dropout = nn.Dropout(dropout)
            narrow = [] if bottleneck is None else [nn.Linear(2 * hidden, bottleneck), nn.Sigmoid()]
            self.narrow = nn.Sequential(*narrow)
            self.last = nn.Linear(bottleneck or 2 * hidden, classes)

        def latent(self, codes: torch.Tensor) -> torch.Tensor:
            lengths = (codes != PADDING).sum(dim=1)
            codes = codes[:, : int(lengths.max())]
            words = self.dropout(self.vectors(codes))
            if bool((lengths == codes.shape[1]).all()):
                states, _ = self.lstm(words)
            else:
                packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
                states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
            weights = self.attention(states)[:, :, 0].masked_fill(codes == PADDING, float("-inf")).softmax(dim=1)
            return self.narrow(self.dropout((weights[:, :, None] * states).sum(dim=1)))

        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            return self.last(self.latent(codes))

    return SentenceNetwork()


class SentenceModel(Model):
    """A handle on a network of `sentence_network`: sentences as texts or codes to logits; offers `Predictor`.

    Parameters
    ----------
    module : the network. vocabulary : its words. class_names : of the outputs.
    """

    kind: ClassVar[ModelKind] = "text"
    feature_dims: ClassVar[tuple[str, ...]] = ("word",)
    score: ClassVar[str] = "logit"

    def __init__(self, module: Any, vocabulary: Vocabulary, class_names: Sequence[str], name: str) -> None:
        super().__init__(name)
        self.module = module.eval()
        self.vocabulary = vocabulary
        self.class_names = tuple(class_names)
        self._output_count = len(self.class_names)

    def output_name(self, index: int) -> str:
        """The class's name."""
        assert self.class_names is not None
        return self.class_names[index]

    def encode(self, inputs: Any) -> Array:
        """Sentences as codes (sentence, place); codes stay as they are."""
        return inputs if isinstance(inputs, np.ndarray) else self.vocabulary.encode(inputs)

    def fingerprint(self) -> str:
        """A hash of weights and words."""
        return digest(self.kind, self.vocabulary.words, weights_of(self.module))

    def latent(self, inputs: Array) -> Floats:
        """What the last layer reads (sentence, width)."""
        return sentence_latents(self.module, inputs)

    def probabilities(self, inputs: Array, targets: Targets) -> Floats:
        """Softmax probabilities of the targets (sentence,)."""
        from scipy.special import softmax

        shares = softmax(self.predict(inputs).astype(float), axis=1)
        return np.asarray(shares[np.arange(len(shares)), targets if targets.ndim == 1 else targets[:, 0]])

    def _forward(self, inputs: Array) -> Floats:
        return _through(self.module, inputs)


def sentence_latents(module: Any, codes: Array) -> Floats:
    """The space before the last layer of a sentence network (sentence, width), float64."""
    return _through(module.latent, codes)


def _through(function: Any, codes: Array) -> Floats:
    """A function of codes in parts of similar length; each sentence's result depends on it alone."""
    import torch

    codes = np.asarray(codes, dtype=np.int64)
    lengths = (codes != PADDING).sum(axis=1)
    order = np.argsort(lengths, kind="stable")
    found: Any = None
    with torch.no_grad():
        for length in np.unique(lengths):
            own = order[np.searchsorted(lengths[order], length) :][: int((lengths == length).sum())]
            for part in np.array_split(own, -(-len(own) * int(length) // HELD)):
                values = function(torch.as_tensor(codes[part][:, :length])).double().numpy()
                found = np.empty((len(codes), values.shape[1])) if found is None else found
                found[part] = values
    return np.asarray(found)


def weights_of(module: Any) -> list[Any]:
    """Names and values of a network's weights, for a fingerprint."""
    return [[name, value.float().numpy()] for name, value in module.state_dict().items()]


@dataclass(frozen=True)
class SentenceRecipe:
    """How a sentence network is trained: SGD, and the weights of the epoch with the best accuracy on other sentences.

    The loss is summed over a batch, and the learning rate is divided by 1 + decay * epoch.

    Parameters
    ----------
    epochs : at most. patience : epochs without a better accuracy after which the training ends.
    learning_rate, decay, batch : of stochastic gradient descent. clip : longest gradient.
    dimensions : of the word vectors. dropout, hidden : of the network.
    vectors : file of word vectors to begin from (GloVe's text format, or word2vec's .bin); None: random ones.
    least : rarer words are not known. seed : of the first weights, of dropout and of the order of the sentences.
    """

    epochs: int = 30
    patience: int = 8
    learning_rate: float = 0.015
    decay: float = 0.05
    batch: int = 40
    clip: float = 5.0
    dimensions: int = 100
    dropout: float = 0.5
    hidden: int = HIDDEN
    vectors: Path | None = None
    least: int = 2
    seed: int = 0


def trained_sentences(
    training: LabelledTexts,
    development: LabelledTexts,
    class_names: Sequence[str] = ("negative", "positive"),
    recipe: SentenceRecipe | None = None,
    bottleneck: int | None = None,
    start: SentenceModel | None = None,
) -> SentenceModel:
    """A network trained on labelled sentences; the accuracy on `development` chooses the epoch.

    Parameters
    ----------
    bottleneck : see `sentence_network`; models that prototypes start from have 16.
    start : a trained model of the same recipe, whose words, vectors, LSTM and attention this one begins with.
    """
    import torch

    recipe = recipe or SentenceRecipe()
    vocabulary = Vocabulary(training.texts, recipe.least) if start is None else start.vocabulary
    known = {} if recipe.vectors is None else read_vectors(recipe.vectors, vocabulary.words)
    vectors = vector_table(vocabulary.words, known, recipe.dimensions, generator(recipe.seed, "vectors"))
    x, y = torch.as_tensor(vocabulary.encode(training.texts)), torch.as_tensor(training.labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "weights"))
        module = sentence_network(vectors, len(class_names), bottleneck, recipe.dropout, recipe.hidden)
        if start is not None:
            begun = {key: value for key, value in start.module.state_dict().items() if key.split(".")[0] in EXTRACTOR}
            module.load_state_dict(begun, strict=False)
        watch = BestWeights(module, vocabulary.encode(development.texts), development.labels, recipe.patience)
        optimiser = torch.optim.SGD(module.parameters(), recipe.learning_rate)
        module.train()

        def loss(rows: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(module(x[rows]), y[rows], reduction="sum")

        def after_epoch(epoch: int) -> bool:
            module.eval()
            ended = watch(epoch)
            module.train()
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate / (1 + recipe.decay * (epoch + 1))
            return ended

        def cut(*_: Any) -> None:
            torch.nn.utils.clip_grad_norm_(module.parameters(), recipe.clip)

        optimiser.register_step_pre_hook(cut)
        descend(optimiser, loss, len(x), epochs=recipe.epochs, batch=recipe.batch,
                rng=generator(recipe.seed, "order"), name="a sentence network", after_epoch=after_epoch)  # fmt: skip
    watch.restore()
    return SentenceModel(module, vocabulary, class_names, "sentence network")
