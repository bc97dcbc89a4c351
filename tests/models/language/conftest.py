"""Small randomly initialised models of each architecture, with real tokenizers trained on a few lines."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from explicate.models.language import LanguageModel, TextEncoder  # noqa: E402

LINES = [
    "When John and Mary went to the store, John gave a drink to Mary.",
    "The cat sat on the mat. The dog did not; it ran away!",
    "Anna and Tom went to the park, and Tom gave a ball to Anna.",
    "Is the value 3.14 today? Nobody knows the value of the drink.",
]
LLAMA_SHAPED = ("llama", "mistral", "qwen2", "qwen3", "gemma3")
CAUSAL = (*LLAMA_SHAPED, "gpt2", "gpt_neox")
EVERY = (*CAUSAL, "bert")


def byte_level_tokenizer(begin=False):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<bos>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(LINES * 5, trainer)
    if begin:
        tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )


def word_piece_tokenizer():
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=names, show_progress=False)
    tokenizer.train_from_iterator(LINES * 5, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), names, strict=True))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def configuration(architecture, vocabulary):
    shared = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
    }
    grouped = {"num_key_value_heads": 2, "head_dim": 8, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    if architecture == "llama":
        return transformers.LlamaConfig(**shared, **grouped)
    if architecture == "mistral":
        return transformers.MistralConfig(**shared, **grouped)
    if architecture == "qwen2":
        return transformers.Qwen2Config(**shared, **grouped)
    if architecture == "qwen3":
        return transformers.Qwen3Config(**shared, **grouped)
    if architecture == "gemma3":
        return transformers.Gemma3TextConfig(
            **shared,
            **grouped,
            sliding_window=6,
            query_pre_attn_scalar=8,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        )
    if architecture == "gpt2":
        names = {"intermediate_size": "n_inner", "max_position_embeddings": "n_positions"}
        return transformers.GPT2Config(
            **{names.get(name, name): value for name, value in shared.items()}, bos_token_id=1, eos_token_id=2
        )
    if architecture in ("gpt_neox", "gpt_neox_sequential"):
        return transformers.GPTNeoXConfig(
            **shared, use_parallel_residual=architecture == "gpt_neox", bos_token_id=1, eos_token_id=2
        )
    return transformers.BertConfig(**shared)


def module_of(architecture, vocabulary, seed=0, kind=None):
    """A model with weights large enough for attention that is not uniform and norms that are not the identity."""
    config = configuration(architecture, vocabulary)
    default = "AutoModel" if architecture == "bert" else "AutoModelForCausalLM"
    torch.manual_seed(seed)
    module = getattr(transformers, kind or default).from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            scale = 0.2 if "norm" in name.lower() else 0.25
            parameter.add_(scale * torch.randn_like(parameter))
    return module.eval()


def handle(architecture, **options):
    if architecture == "bert":
        tokenizer = word_piece_tokenizer()
        return TextEncoder(module_of("bert", len(tokenizer)), tokenizer, **options)
    tokenizer = byte_level_tokenizer(begin=architecture == "gemma3")
    return LanguageModel(module_of(architecture, len(tokenizer)), tokenizer, **options)


@pytest.fixture(scope="module", params=EVERY)
def model(request):
    return handle(request.param)


@pytest.fixture(scope="module", params=CAUSAL)
def causal(request):
    return handle(request.param)


@pytest.fixture(scope="module")
def llama():
    return handle("llama")


@pytest.fixture(scope="module")
def bert():
    return handle("bert")


@pytest.fixture(scope="session")
def lines():
    return LINES


@pytest.fixture(scope="session")
def build():
    return module_of


@pytest.fixture(scope="module")
def gemma():
    return handle("gemma3")
