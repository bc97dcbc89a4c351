"""Recall of re-ranked passages, answers from the best of them, and games that agree or do not."""

import numpy as np
import pytest

from explicate.data.language.documents import document_questions
from explicate.errors import InputError
from explicate.evaluation.generated_answers import area_under_recall, distilled, equal_answers, recall_at


def test_recall_counts_questions_with_a_hit_among_the_first():
    rankings = [[2, 0, 1], [0, 1, 2], [1, 2, 0]]
    holding = [{0}, {0, 2}, set()]
    assert recall_at(rankings, holding, 3) == pytest.approx([1 / 3, 2 / 3, 2 / 3])
    assert area_under_recall(rankings, holding, 3) == pytest.approx(5 / 9)
    with pytest.raises(InputError, match="give one each"):
        recall_at(rankings, holding[:2], 3)


def test_answers_are_compared_without_articles_and_punctuation():
    assert equal_answers(["The  Eiffel-Tower.", "Rome"], ["eiffel tower", "Paris"]).tolist() == [True, False]
    with pytest.raises(InputError, match="1 answers for 2"):
        equal_answers(["a"], ["a", "b"])


def test_distilling_reads_the_best_passages_in_their_new_order():
    questions = document_questions(3, 0, 5)
    rankings = [np.arange(5)[::-1].tolist() for _ in questions]
    seen = distilled(questions, rankings, lambda one: "|".join(d.title for d in one.documents), 2)
    assert seen == ["|".join(d.title for d in one.documents[:2:-1]) for one in questions]


def test_questions_have_one_gold_document_and_rivals_without_the_answer():
    for one in document_questions(5, 1, 8, 3, rivals=2):
        holding = [n for n, document in enumerate(one.documents) if one.answer in document.text]
        assert holding == [one.gold]
        assert {one.documents[n].title for n in one.rivals} == {one.documents[one.gold].title}
        assert one.question.endswith(f"{one.documents[one.gold].title}?")
    assert document_questions(2, 0, 4, gold=3)[1].gold == 3
    with pytest.raises(InputError, match="cannot be made"):
        document_questions(1, 0, 2, rivals=2)


@pytest.mark.slow
def test_blocks_agree_with_the_whole_model_where_one_document_decides(smollm2):
    from explicate.attribution.textgenshap import DocumentPrompt
    from explicate.evaluation.generated_answers import block_agreement

    question = document_questions(1, 0, 3)[0]
    prompt = DocumentPrompt.of(question.question, question.documents, answer=f"Answer: {question.lead}")
    found = block_agreement(smollm2, prompt, 6, max_new_tokens=6, stop=("\n", "."))
    assert found.coalitions == 7
    assert 0 <= found.equal_outputs <= 1
    assert found.largest_difference >= found.mean_difference >= 0
    same = block_agreement(smollm2, DocumentPrompt.of(question.question, question.documents[:1],
                           answer=f"Answer: {question.lead}"), 4, max_new_tokens=6, stop=("\n", "."))  # fmt: skip
    assert same.equal_outputs == 1
    assert same.largest_difference < 1e-3
