"""The checker against a program whose knowledge, inventions and silences are written down."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import explicate as ex
from explicate.core.kinds import Narrative
from explicate.data.language.books import INVENTED, famous_books
from explicate.data.language.references import Reference, references_in
from explicate.errors import CapabilityError, EndpointError, InputError, WindowError
from explicate.models.chat import LocalChat, Message, Reply, ScriptedChat, open_chat
from explicate.models.chat.scripted import constant
from explicate.rationales import ReferenceChecker, ReferenceCompletions, ReferencePrompts
from explicate.rationales.reference_prompts import LISTED, list_shown, overlap_share, says_yes
from explicate.rationales.reference_scores import decide, ensembles
from explicate.rationales.scripted_librarian import POOL, librarian

REAL = list(famous_books())


def listed(titles):
    """References that stood in one list each of up to five."""
    found = []
    for start in range(0, len(titles), 5):
        answer = "\n".join(f'{place}. "{title}"' for place, title in enumerate(titles[start : start + 5], 1))
        found += references_in(answer, f"topic {start}")
    return found


@pytest.fixture(scope="module")
def references():
    return listed(REAL[:20] + list(INVENTED[:20]))


@pytest.fixture(scope="module")
def found(references):
    return ReferenceChecker(librarian()).explain(references)


def scores(explanation, name):
    return explanation["score"].sel(detector=name).values


@pytest.mark.parametrize("overlap", ["llm", "names"])
def test_lists_of_known_references_agree_whatever_their_order_and_initials(references, overlap):
    authors = {title: ["Ada Brand", "Ben Falk", "Cleo Gray"] for title in REAL}
    found = ReferenceChecker(librarian(authors), overlap=overlap, queries=("IQ",)).explain(references)
    assert scores(found, "IQ")[:20].tolist() == [1.0] * 20
    assert len(set(found["author_reply"].values[0])) > 1  # the texts differ, the names do not


def test_lists_of_made_up_references_agree_as_often_as_draws_from_the_pool_do():
    """One name of n, or two: the mean overlap of two independent draws is found by counting all of them."""
    pool = POOL[:6]
    alone, both = [{i} for i in range(6)], [{i, j} for i in range(6) for j in range(i)]
    draws = [(one, 0.5 / len(kind)) for kind in (alone, both) for one in kind]
    exact = sum(p * q * len(a & b) / len(a | b) for a, p in draws for b, q in draws)
    titles = [f"Volume {number} of Nothing" for number in range(400)]
    chat = librarian(pool=pool)
    found = ReferenceChecker(chat, overlap="names", queries=("IQ",)).explain(titles)
    values = scores(found, "IQ")
    assert abs(values.mean() - exact) < 4 * values.std() / np.sqrt(len(values))


def test_direct_queries_say_yes_as_often_as_the_program_does():
    titles = [*REAL, *INVENTED]
    found = ReferenceChecker(librarian(yes=(0.8, 0.3)), queries=("DQ1", "DQ2", "DQ3")).explain(listed(titles))
    for name in ("DQ1", "DQ2", "DQ3"):
        values = scores(found, name)
        assert set(np.round(10 * values)) <= set(range(11))
        for group, share in ((values[:60], 0.8), (values[60:], 0.3)):
            assert abs(group.mean() - share) < 4 * np.sqrt(share * (1 - share) / 600)
    assert np.std(scores(found, "DQ1")[:60]) == pytest.approx(np.sqrt(0.8 * 0.2 / 10), rel=0.4)  # draws of their own


def test_draws_of_titles_are_their_own_and_equal_titles_are_asked_once():
    chat = ScriptedChat(lambda messages, rng: str(rng.integers(10**9)))
    found = ReferenceChecker(chat, queries=("DQ1",), n_direct=2).explain(["A a", "B b", "A a"])
    replies = found["direct_reply"].values[:, 0]
    assert len(set(replies.ravel())) == 4
    assert replies[0].tolist() == replies[2].tolist()
    assert chat.ledger.calls == 4


def test_every_query_is_asked_in_fresh_contexts_with_the_settings_of_the_paper():
    asked = []

    def respond(messages, rng):
        asked.append(messages)
        return "Ada Brand" if "authors of the reference" in messages[-1].content else "Yes"

    log_of_settings = []

    class Watched(ScriptedChat):
        def outcomes(self, conversations, decoding=None, *, repetition=0, **settings):
            log_of_settings.append((len(conversations), settings))
            return super().outcomes(conversations, decoding, repetition=repetition, **settings)

    one = references_in('1. "A a"\n2. "B b"\n3. "C c"', "t")[1]
    ReferenceChecker(Watched(respond)).explain([one])
    counts = [(count, s.get("temperature", 0), s["max_new_tokens"]) for count, s in log_of_settings]
    assert counts == [(3, 1.0, 128), (3, 0, 50), (10, 1.0, 15), (10, 1.0, 15), (10, 1.0, 15)]
    texts = [tuple((m.role, m.content) for m in messages) for messages in asked]
    assert {len(messages) for messages in texts} == {1, 3}
    dialogue = next(messages for messages in texts if len(messages) == 3)
    assert [role for role, _ in dialogue] == ["user", "assistant", "user"]
    assert dialogue[1][1] == '"B b"'
    expected = LISTED.format(listing='1. "A a"\n2. "B b"\n3. "C c"', position=2)
    assert (("user", expected),) in texts  # the stored place, also in a list of three


def test_dq3_of_a_misnumbered_list_asks_for_the_place_in_the_list_shown():
    seen = []
    chat = ScriptedChat(lambda messages, rng: seen.append(messages[-1].content) or "no")
    given = references_in("1. A a\n1. B b\n9. C c", "t")
    ReferenceChecker(chat, queries=("DQ3",), n_direct=1).explain(given)
    assert seen[2].endswith("1. A a\n2. B b\n3. C c\nDoes the reference with title #3 exist? Just output yes/no.")


def test_ensembles_are_means(found):
    iq, d1, d2, d3 = (scores(found, name) for name in ("IQ", "DQ1", "DQ2", "DQ3"))
    direct = (d1 + d2 + d3) / 3
    assert scores(found, "DQ") == pytest.approx(direct)
    assert scores(found, "IQ+DQ") == pytest.approx((iq + direct) / 2)
    assert scores(found, "IQ+DQ2") == pytest.approx((iq + d2) / 2)
    assert list(ensembles({"IQ": iq})) == ["IQ"]
    assert list(ensembles({"DQ2": d2})) == ["DQ2", "DQ"]


def test_the_result_says_in_words_what_was_found_and_is_stored_whole(found, tmp_path):
    assert isinstance(found, Narrative)
    assert found.data.attrs["decided_by"] == "IQ+DQ"
    assert found.data.attrs["scripted"] == 1
    assert found["answer"].values[:20].tolist() == ["exists"] * 20
    assert found["answer"].values[20:].tolist() == ["hallucinated"] * 20
    text = str(found["text"].values[0])
    assert text.startswith(f'Probably real: "{REAL[0]}"')
    assert "overlap by 100%" in text
    assert str(found["text"].values[-1]).startswith(f'Probably made up: "{INVENTED[19]}"')
    again = ex.load(found.save(tmp_path / "found.nc"))
    assert again["author_reply"].values.tolist() == found["author_reply"].values.tolist()
    assert again["score"].equals(found["score"])
    assert again.provenance.parameters["prompts"]["name"] == "reference-questions"


def test_a_log_gives_the_same_without_the_model(references, tmp_path):
    log = tmp_path / "calls.jsonl"
    first = ex.explain(librarian(log=log), references[:6], "reference-check", n_direct=3)
    again = ex.explain(str(log), references[:6], "reference-check", n_direct=3)
    assert again["score"].equals(first["score"])
    assert again.provenance.calls == 0
    assert again.data.attrs["scripted"] == 1


def test_a_threshold_is_to_be_exceeded():
    assert decide(np.array([0.5, 0.51, 0.0])).tolist() == [False, True, False]
    with pytest.raises(InputError, match="undefined"):
        decide(np.array([np.nan, 1.0]))


# -- where there is nothing to draw ----------------------------------------------------------------------------------


def test_without_draws_iq_is_undefined_and_a_warning_says_so(references):
    with pytest.warns(UserWarning, match="IQ is undefined: at temperature 0"):
        found = ReferenceChecker(librarian(), temperature=0.0, overlap="names").explain(references)
    assert np.isnan(scores(found, "IQ")).all()
    assert np.isnan(scores(found, "IQ+DQ")).all()
    assert found["overlap"].values.min() == 1.0  # all lists are one
    assert found.data.attrs["decided_by"] == "DQ"
    assert "could not be compared" in str(found["text"].values[0])


def test_a_model_that_says_the_same_each_time_is_found_out():
    def respond(messages, rng):
        return f"Ada {POOL[len(messages[-1].content) % 9]}"  # another list for each title, but no draw

    checker = ReferenceChecker(ScriptedChat(respond), overlap="names", queries=("IQ",))
    with pytest.warns(UserWarning, match="all 3 lists are the same for each of 20 titles"):
        found = checker.explain(REAL[:20])
    assert np.isnan(scores(found, "IQ")).all()
    assert found["answer"].values.tolist() == [""] * 20
    assert str(found["text"].values[0]).startswith("It is undecided whether")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few = checker.explain(REAL[:2])  # two titles may be known by heart
    assert scores(few, "IQ").tolist() == [1.0, 1.0]


# -- replies that are none --------------------------------------------------------------------------------------------


def test_a_filtered_reply_counts_as_no_list_and_is_kept(references):
    chat = librarian(filtered=REAL[:2])
    found = ReferenceChecker(chat).explain(references)
    assert scores(found, "IQ")[:3].tolist() == [0.0, 0.0, 1.0]
    assert found["author_filtered"].values[:3].all(axis=1).tolist() == [True, True, False]
    assert found["status"].values[:3].tolist() == ["filtered", "filtered", "ok"]
    assert found.data.attrs["filtered"] == pytest.approx(2 / 40)
    assert found["overlap_reply"].values[0].tolist() == [""] * 3  # nothing to ask about
    some = ScriptedChat(lambda m, rng: "" if rng.random() < 0.5 else "Ada Brand")
    half = ReferenceChecker(some, overlap="names", queries=("IQ",)).explain([f"Book {n}" for n in range(200)])
    empty = half["author_filtered"].values
    assert 0.4 < empty.mean() < 0.6
    both = [[not (row[i] or row[j]) for i, j in ((0, 1), (0, 2), (1, 2))] for row in empty]
    assert half["overlap"].values.tolist() == np.array(both, dtype=float).tolist()


def test_a_call_that_a_filter_refuses_is_a_filtered_reply_and_any_other_error_stays_one():
    def respond(messages, rng):
        raise EndpointError("x refused the call (400): blocked by the content management policy")

    found = ReferenceChecker(ScriptedChat(respond), queries=("DQ1",)).explain(["A"])
    assert found["direct_filtered"].values.all()
    assert scores(found, "DQ1").tolist() == [0.0]

    def down(messages, rng):
        raise EndpointError("x cannot be reached")

    with pytest.raises(EndpointError, match="cannot be reached"):
        ReferenceChecker(ScriptedChat(down), queries=("IQ",)).explain(["A"])


def test_what_begins_with_no_number_counts_as_nothing_and_its_share_is_told():
    def respond(messages, rng):
        if "two lists" in messages[0].content:
            return "They overlap a lot." if len(messages) == 1 else "ANS: 40"
        return f"Ada {POOL[int(rng.integers(40))]}"

    found = ReferenceChecker(ScriptedChat(respond), queries=("IQ",)).explain(REAL[:6])
    assert scores(found, "IQ").tolist() == [0.0] * 6
    assert found.data.attrs["unread"] == 1.0
    asked = ReferenceChecker(ScriptedChat(respond), queries=("IQ",), attempts=2).explain(REAL[:6])
    assert scores(asked, "IQ") == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("reply", "share"),
    [
        ("ANS: 33 JUSTIFICATION: 1 of 3", 0.33),
        ("ANS: 33.3% JUSTIFICATION", 0.333),
        ("Answer: 50", 0.5),
        (" 25% JUSTIFICATION: one", 0.25),
        ("ANS: 150", 1.0),
        ("ANS: 0", 0.0),
        ("The overlap is 50%", None),
        ("ANS: none", None),
        ("", None),
    ],
)
def test_the_number_at_the_start_is_read(reply, share):
    assert overlap_share(reply) == (share if share is None else pytest.approx(share))


def test_small_readings():
    assert [says_yes(text) for text in ("Yes.", "\n\nYES", "no", "Eyes open", "")] == [True, True, False, True, False]
    assert list_shown(" A,\nB " + "x" * 200) == ("A,\nB " + "x" * 200)[:100].replace("\n", " ")


# -- what cannot be asked ---------------------------------------------------------------------------------------------


def test_without_the_answer_dq3_is_left_out_with_a_warning():
    with pytest.warns(UserWarning, match="DQ3 is left out: 1 of 6"):
        found = ReferenceChecker(librarian()).explain([*listed(REAL[:5]), "Emma"])
    assert "DQ3" not in found["detector"].values
    assert scores(found, "DQ") == pytest.approx((scores(found, "DQ1") + scores(found, "DQ2")) / 2)
    with pytest.raises(InputError, match="DQ3 cannot be asked"):
        ReferenceChecker(librarian(), queries=("DQ3",)).explain(["Emma"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n_authors": 1}, "at least 2"),
        ({"n_direct": 0}, "and 1"),
        ({"overlap": "exact"}, "overlap 'exact' is unknown"),
        ({"direct": "logits"}, "direct 'logits' is unknown"),
        ({"queries": ("DQ4",)}, "no query DQ4"),
        ({"queries": ()}, "no query"),
        ({"n_authors": 2.5}, "no whole number"),
    ],
)
def test_parameters_out_of_range_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        ReferenceChecker(librarian(), **options)


def test_questions_without_their_slots_are_refused():
    with pytest.raises(InputError, match=r"'authors' has no \{title\}"):
        ReferencePrompts(authors="Who wrote it?")
    with pytest.raises(InputError, match="none to both"):
        ReferencePrompts(yes=("Yes",), no=("Yes",))
    asked = ReferencePrompts().asked("exists", title="{position} of {title}")
    assert asked[0].content == 'Does the reference "{position} of {title}" exist? Just output yes/no.'


def test_no_references_and_no_model_are_refused():
    with pytest.raises(InputError, match="no references"):
        ReferenceChecker(librarian()).explain([])
    with pytest.raises(InputError, match="asks a chat model"):
        ReferenceChecker().explain(["A"])
    with pytest.raises(CapabilityError, match="no log-probabilities"):
        ReferenceChecker(constant("yes"), direct="first-token", queries=("DQ1",)).explain(["A"])


def test_first_tokens_give_the_probability_of_yes_against_no():
    shares = {"Yes": 0.3, "yes": 0.1, "No": 0.1, "no": 0.0}

    def score(messages, text):
        known = shares[text] if "A a" in str(messages) else 0.25
        return np.log([max(known, 1e-300)])

    chat = ScriptedChat(lambda messages, rng: "", score=score)
    found = ReferenceChecker(chat, direct="first-token", queries=("DQ1", "DQ2")).explain(["A a", "B b"])
    assert scores(found, "DQ1") == pytest.approx([0.8, 0.5])
    assert scores(found, "DQ2") == pytest.approx([0.8, 0.5])
    assert found.provenance.calls == 0


# -- a real model -----------------------------------------------------------------------------------------------------


def test_a_small_language_model_is_asked_in_samples_and_by_its_first_tokens(smollm2):
    chat = LocalChat(smollm2, template="plain", cache=False)
    checker = ReferenceChecker(
        chat, overlap="names", prompts=ReferenceCompletions(), n_direct=2, direct_tokens=1, max_new_tokens=4,
        queries=("IQ", "DQ1"),
    )  # fmt: skip
    titles = ["Romeo and Juliet", "Hamlet", "The Moulting"]
    found = checker.explain(titles)
    replies = [str(text) for text in found["author_reply"].values[:2].ravel()]
    assert sum("Shakespeare" in text for text in replies) >= 3
    again = checker.explain(titles[::-1])
    assert again["author_reply"].values[::-1].tolist() == found["author_reply"].values.tolist()  # whatever the batch
    white = replace(checker, direct="first-token", queries=("DQ1",)).explain(titles)
    prompts = [checker.prompts.asked("exists", title=title) for title in titles]
    texts = [message.content for (message,) in prompts]
    tokens = [smollm2.tokenizer(form)["input_ids"][0] for form in (" Yes", " No")]
    logits = smollm2.predict(smollm2.encode(texts))
    exact = np.exp(logits[:, tokens] - logits.max(axis=1, keepdims=True))
    assert white["score"].sel(detector="DQ1").values == pytest.approx(exact[:, 0] / exact.sum(axis=1), abs=1e-4)
    with pytest.raises(WindowError):
        replace(checker, max_new_tokens=10_000).explain(titles)


def test_the_program_answers_only_what_it_is_made_for():
    with pytest.raises(InputError, match="not asked for references here"):
        librarian().reply("What is the capital of France?")
    assert open_chat("explicate.rationales.scripted_librarian:librarian").scripted
    reply = librarian(filtered=["Emma"]).reply(
        (Message("user", ReferencePrompts().asked("authors", title="Emma")[0].content),)
    )
    assert isinstance(reply, Reply)
    assert reply.finish == "content_filter"
    fixed = librarian({}, confabulated={"The Moulting": ["Ada Brand"]})
    found = ReferenceChecker(fixed, queries=("IQ",)).explain(["The Moulting"])
    assert scores(found, "IQ").tolist() == [1.0]  # what is confabulated in the same way each time looks real
    assert Reference("The Moulting").grounded is None
