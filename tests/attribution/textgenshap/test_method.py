"""TextGenSHAP on planted answers, on SmolLM2, and what it refuses."""

import re

import numpy as np
import pytest

pytest.importorskip("torch")

from explicate.attribution.textgenshap import (
    Document,
    DocumentPrompt,
    DocumentTree,
    HierarchicalAttribution,
    TextGenSHAP,
)
from explicate.core.explanation import Explanation
from explicate.core.registry import find
from explicate.data.language.documents import document_questions
from explicate.errors import CapabilityError, InputError, TargetError, WindowError
from explicate.models.chat import ScriptedChat
from explicate.models.tiny.decoder import Decoder
from explicate.report.hierarchy import hierarchy_report

STOP = ("\n", ".")


def prompt_of(question, **options):
    return DocumentPrompt.of(question.question, question.documents, answer=f"Answer: {question.lead}", **options)


def scripted():
    """Says the number behind "code" in the last document that has one."""

    def respond(messages, rng):
        found = re.findall(r"code is (\d+)", messages[-1].content)
        return found[-1] if found else "unknown"

    return ScriptedChat(respond)


@pytest.fixture
def codes():
    texts = ["It rains. Nothing here.", "Hello there. The code is 17.", "The sea is blue. It is wide."]
    return DocumentPrompt.of("Which code?", [Document(f"t{n}", text) for n, text in enumerate(texts)])


# -- prompts and trees ---------------------------------------------------------------------------------------------


def test_a_prompt_is_read_as_it_was_made():
    question = document_questions(1, 0, 4, 2)[0]
    made = prompt_of(question)
    assert DocumentPrompt.read(made.text) == made
    assert "Document [4] (Title: " in made.text
    assert made.text.splitlines()[-2] == f"Question: {question.question}"


def test_texts_without_headers_are_lines_or_sentences():
    lines = DocumentPrompt.read("One is here.\nTwo is there.\nWhere is one?")
    assert [lines.text[a:b] for a, b in lines.documents] == ["One is here.\n", "Two is there.\n"]
    single = DocumentPrompt.read("One is here. Two is there. Where is one?")
    assert [single.text[a:b] for a, b in single.documents] == ["One is here. ", "Two is there. "]
    assert DocumentPrompt.read("The sea").documents == ((0, 7),)
    several = DocumentPrompt.read("Document [1] (Title: a) One\nis here.\nQuestion: Where?")
    assert [several.text[a:b] for a, b in several.documents] == ["Document [1] (Title: a) One\nis here.\n"]


def test_slicing_counts_documents_anew(codes):
    tree = DocumentTree.of(codes, 1)
    cut = codes.without(tree.kept(np.array([[False, True, True]]))[0])
    assert "Document [1] (Title: t1) Hello there. The code is 17.\nDocument [2] (Title: t2)" in cut
    kept = codes.without(tree.kept(np.array([[False, True, True]]))[0], renumbered=False)
    assert "Document [2] (Title: t1)" in kept
    assert codes.without(tree.kept(np.ones((1, 3), dtype=bool))[0]) == codes.text


def test_pieces_cover_their_documents():
    prompt = DocumentPrompt.of("q", [Document("a, b", "Pi is 3.14, Mr. X said. Right?"), Document("c", "No.")])
    paper, sentences = (DocumentTree.of(prompt, 3, split) for split in ("paper", "sentences"))
    for tree in (paper, sentences):
        for number in range(1, len(tree)):
            inside = "".join(tree.text(child) for child in tree.children[number])
            assert inside in ("", tree.text(number))
        assert tree.members[0].all()
    texts = [sentences.text(n).strip() for n in sentences.children[sentences.documents[0]]]
    assert texts == ["Document [1] (Title: a, b)", "Pi is 3.14, Mr.", "X said.", "Right?"]
    assert " 3." in [paper.text(n)[-3:] for n in paper.children[paper.documents[0]]]


# -- explaining ----------------------------------------------------------------------------------------------------


def test_a_chat_model_is_explained_down_to_the_word(codes):
    found = TextGenSHAP(draws=30).explain(scripted(), codes)
    assert isinstance(found, HierarchicalAttribution)
    assert found["written"].values[0] == "17"
    assert found.values_of(1).tolist() == [0, 1, 0]
    assert found.rerank() == [1, 0, 2]
    assert found.values_of(1, "unknown").tolist() == [0, -1, 0]
    texts = found["piece_text"].values[0]
    opened = [str(texts[place]) for place in found.pieces(2)]
    assert opened == ["Document [2] (Title: t1)", " Hello there.", " The code is 17."]
    assert found.values_of(2).tolist() == [0, 0, 1]
    words = {str(texts[place]).strip(): value for place, value in zip(found.pieces(3), found.values_of(3), strict=True)}
    assert words["The"] == 0
    assert words["code"] + words["is"] + words["17."] == pytest.approx(1)
    assert found.values.sum() == pytest.approx(float(found["score"].values[0] - found["baseline_score"].values[0]))
    assert [cost["level"] for cost in found.cost] == [1, 2, 3]


def test_it_is_saved_read_drawn_and_made_a_page(codes, tmp_path):
    found = TextGenSHAP(draws=10, levels=2).explain(scripted(), codes)
    again = Explanation.load(found.save(tmp_path / "found.nc"))
    assert isinstance(again, HierarchicalAttribution)
    assert again.to_tree() == found.to_tree()
    document = found.to_tree()["documents"][1]
    assert document["values"]["17"] == 1
    assert [child["text"] for child in document["children"]][2] == " The code is 17."
    page = hierarchy_report(again, "explicate explain").save(tmp_path / "page.html").read_text()
    assert page.count("<details") == 2  # one document opens, for either of two outputs
    assert "<script" not in page
    labels = [text.get_text().strip() for text in found.plot().get_yticklabels()]
    assert "The code is 17." in labels


def test_exact_and_sampled_values_agree_and_first_words_merge(codes):
    exact = TextGenSHAP(sampling="exact", levels=1).explain(scripted(), codes)
    assert exact.values_of(1).tolist() == [0, 1, 0]
    for sampling in ("permutations", "subsets", "banzhaf", "pairs"):
        found = TextGenSHAP(sampling=sampling, levels=1, draws=20).explain(scripted(), codes)
        assert found.values_of(1) == pytest.approx([0, 1, 0])
    words, values = exact.by_first_word()
    assert values[:, words.index("17")].tolist() == [0, 1, 0]


def test_a_document_without_text_scores_nothing():
    documents = [Document("a", "The code is 3."), Document("b", " ")]
    with pytest.warns(UserWarning, match="document 2 has no text"):
        prompt = DocumentPrompt.of("Which code?", documents)
    found = TextGenSHAP(draws=5, levels=1).explain(scripted(), prompt)
    assert found.values_of(1).tolist() == [1, 0]


# -- SmolLM2 -------------------------------------------------------------------------------------------------------


def test_smollm2_reads_its_answer_from_the_gold_document(smollm2):
    asked = document_questions(6, 0, 4)
    written = smollm2.generate([prompt_of(one).text for one in asked], max_new_tokens=6, stop=STOP)
    question = next(one for one, text in zip(asked, written, strict=True) if text.strip() == one.answer)
    method = TextGenSHAP(sampling="exact", levels=1, max_new_tokens=6, stop=STOP)
    found = method.explain(smollm2, prompt_of(question))
    assert found["written"].values[0] == question.answer
    assert found.values.sum() == pytest.approx(1 - float(found["baseline_score"].values[0]))
    assert found.rerank()[0] == question.gold
    tree = DocumentTree.of(prompt_of(question), 1)
    reader = method.reader(smollm2, tree)
    masks = (np.arange(16)[:, None] >> np.arange(4)) % 2 == 1
    prompts = [ids.tolist() for ids, _ in reader.layout.prompts(masks)]
    plain = smollm2.generate(prompts, max_new_tokens=6, stop=STOP)
    assert reader.write(masks) == [text.strip() for text in plain]
    assert reader.counts["foreseen"] > 0


def test_blocks_hide_what_is_absent_on_a_real_model(smollm2):
    question = document_questions(1, 3, 3)[0]
    tree = DocumentTree.of(prompt_of(question), 1)
    method = TextGenSHAP(levels=1, masking="pad", max_new_tokens=6, stop=STOP, worth="log-probability")
    full, blocks = (
        TextGenSHAP(**{**vars(method), "attention": attention}).reader(smollm2, tree)
        for attention in ("full", "blocks")
    )
    alone = np.eye(3, dtype=bool)  # a single document has nothing that it could not see
    answers = [reader.log_probabilities(alone, question.answer) for reader in (full, blocks)]
    assert answers[0] == pytest.approx(answers[1], abs=1e-3)


# -- what is refused -----------------------------------------------------------------------------------------------


def test_prompts_that_cannot_be():
    with pytest.raises(InputError, match="list of documents is empty"):
        DocumentPrompt.of("q", [])
    with pytest.raises(InputError, match="question is empty"):
        DocumentPrompt.of(" ", [Document("a", "b")])
    with pytest.raises(InputError, match="text is empty"):
        DocumentPrompt.read("  \n ")
    with pytest.warns(UserWarning, match="no text"), pytest.raises(InputError, match="no documents"):
        DocumentPrompt.of("q", [Document("a", "")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 1}, "no standard error"),
        ({"temperature": 0.7}, "no function of the coalition"),
        ({"sampling": "guess"}, "sampling 'guess' is unknown"),
        ({"levels": 4, "thresholds": (0.1, 0.1, 0.1)}, "levels is 4"),
        ({"thresholds": (0.1,)}, "need 2 thresholds"),
        ({"probability": 1.0}, "between 0 and 1"),
        ({"split": "verses"}, "split 'verses' is unknown"),
    ],
)
def test_parameters_that_do_not_fit(codes, options, message):
    with pytest.raises(InputError, match=message):
        TextGenSHAP(**options).explain(scripted(), codes)


def test_models_that_cannot_do_it(codes):
    with pytest.raises(CapabilityError, match="takes texts here"):
        TextGenSHAP(masking="pad").explain(scripted(), codes)
    with pytest.raises(CapabilityError, match="needs text generation"):
        TextGenSHAP().explain(object(), codes)
    with pytest.raises(TargetError, match="name the output"):
        TextGenSHAP().explain(scripted(), codes, target=3)


def test_a_prompt_too_long_is_refused_with_its_length_and_blocks_need_pad():
    decoder = Decoder(("a", "b", "c"), layers=1, width=8, heads=1, mlp_width=8, context=16)
    model = decoder.handle(decoder.build())
    with pytest.raises(WindowError, match="20 tokens and 20 new ones are more than the 16"):
        TextGenSHAP().explain(model, "a b a b a b a b a\nb a b a b a b a\na b c")
    with pytest.raises(InputError, match="masking='pad'"):
        TextGenSHAP(attention="blocks", max_new_tokens=2).explain(model, "a b\nb a\na b c")


def test_drawn_answers_need_a_seed_for_each_coalition(codes):
    def respond(messages, rng):
        return str(rng.integers(3))

    method = TextGenSHAP(draws=5, levels=1, temperature=1.0, seed_per_subset=True)
    first, second = (method.explain(ScriptedChat(respond), codes, seed=4) for _ in range(2))
    assert first.to_tree() == second.to_tree()


def test_it_is_registered():
    assert find("textgenshap", "methods") is TextGenSHAP
