"""Questions with short answers: each once, answers that are right, topics that a study can count on."""

from explicate.data.language.countries import countries
from explicate.data.language.everyday_questions import everyday_questions


def test_every_question_is_asked_once_and_has_answers():
    questions = everyday_questions()
    assert len({question.text for question in questions}) == len(questions) >= 1500
    assert all(question.answers and all(answer.strip() for answer in question.answers) for question in questions)


def test_answers_are_right():
    found = {question.text: question.answers for question in everyday_questions()}
    assert found["What is the capital of France?"] == ("Paris",)
    assert found["What is the atomic number of oganesson?"] == ("118",)
    assert found["What is the chemical symbol of tungsten?"] == ("W",)
    assert found["Which chemical element has the symbol Al?"] == ("aluminium", "aluminum")
    assert found["Which month comes before January?"] == ("December",)
    assert found["Which day comes after Sunday?"] == ("Monday",)
    assert found["What is 12 times 12?"] == ("144",)


def test_arithmetic_is_arithmetic():
    signs = {"times": lambda a, b: a * b, "plus": lambda a, b: a + b, "minus": lambda a, b: a - b}
    checked = 0
    for question in everyday_questions():
        words = question.text.rstrip("?").split()
        if len(words) == 5 and words[3] in signs:
            assert int(question.answers[0]) == signs[words[3]](int(words[2]), int(words[4]))
            checked += 1
    assert checked > 100


def test_each_country_has_five_questions():
    texts = [question.text for question in everyday_questions()]
    for country in countries():
        own = [country.name in text or text.startswith(country.capital + " is") for text in texts]
        assert sum(own) >= 5
