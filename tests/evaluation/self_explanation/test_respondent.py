"""Answers as probabilities: what an endpoint shows of its own reply, and what is done where it shows nothing."""

import numpy as np
import pytest

from explicate.benchmarks.faith_plaus import positive, review_model
from explicate.data.language.marked_tasks import review_items
from explicate.data.language.nle_tasks import templated_items
from explicate.errors import CapabilityError
from explicate.evaluation.self_explanation import FaithfulnessBattery, Respondent
from explicate.evaluation.self_explanation.respondent import letter_shares
from explicate.models.chat import LocalChat, RemoteChat, ReplayedChat, Reply, ScriptedChat
from explicate.models.chat.reply import Token
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.feedback import messages
from explicate.rationales.self_explanations import SelfExplainer

ITEMS = review_items(40)
WHOLE = review_model("sentiment", "sentiment")


def shows(messages, rng):
    """Replies with tokens of the program that judges reviews by their sentiment: it writes the likelier letter."""
    said = WHOLE.respond(messages, rng)
    if not said.startswith("Answer: ("):
        return said
    share = {letter: float(np.exp(WHOLE.score(messages, f"({letter})")[0])) for letter in "AB"}
    best = max(share, key=share.get)
    beside = [(f" ({letter}", np.log(share[letter])) for letter in share] + [(" [", -12.0)]
    parts = [("Answer", 0.0, ()), (":", 0.0, ()), (f" ({best}", np.log(share[best]), beside), (")", 0.0, ())]
    return Reply(f"Answer: ({best})", tokens=tuple(Token.of(*part) for part in parts))


def hides(messages, rng):
    return shows(messages, rng).text if "Answer: (X)" in messages[-1].content else WHOLE.respond(messages, rng)


def known(item):
    share = positive(item.fields[0][1], "sentiment")
    return [1 - share, share]


def test_an_endpoint_that_shows_its_tokens_is_asked_once_for_exact_probabilities(loopback, tmp_path):
    chat = RemoteChat(loopback(ScriptedChat(shows, name="shows")), cache=False, log=tmp_path / "calls.jsonl")
    respondent = Respondent(chat)
    found = respondent.shares(ITEMS)
    assert np.allclose(found, [known(item) for item in ITEMS], atol=1e-5)
    assert (chat.ledger.calls, respondent.by) == (len(ITEMS), None)
    explained = SelfExplainer(form="token-importance", chat=chat).explain(ITEMS, letters=respondent.letters(ITEMS))
    battery = FaithfulnessBattery(("erasure", "rank-agreement"), random_sets=2)
    remote, here = (battery.run(one, ITEMS, explained) for one in (chat, WHOLE))
    for name in ("erasure", "rank-agreement"):
        assert np.allclose(remote.test(name).values, here.test(name).values, atol=1e-4)
        assert "probabilities" not in remote.test(name).notes
    replayed = Respondent(ReplayedChat(tmp_path / "calls.jsonl"))
    assert np.allclose(replayed.shares(ITEMS), found)


def test_an_endpoint_that_hides_them_is_found_out_by_one_call_and_asked_for_draws(loopback, tmp_path):
    chat = RemoteChat(loopback(ScriptedChat(hides, name="hides")), cache=False, log=tmp_path / "calls.jsonl")
    respondent = Respondent(chat, draws=2)
    found = respondent.shares(ITEMS[:5])
    assert (respondent.by, chat.ledger.failed_calls, chat.ledger.calls) == ("samples", 1, 10)
    assert [row.argmax() for row in found] == [np.argmax(known(item)) for item in ITEMS[:5]]
    assert np.array_equal(Respondent(ReplayedChat(tmp_path / "calls.jsonl"), draws=2).shares(ITEMS[:5]), found)
    with pytest.raises(CapabilityError, match="no log-probabilities; what works without them"):
        Respondent(chat, by="log-probability").shares(ITEMS)


def test_all_questions_go_out_together(batched):
    Respondent(batched(hides), by="samples", draws=3).shares(ITEMS)
    assert batched.sizes == [3 * len(ITEMS)]


def reply(*tokens):
    """A reply from (text, probability, others) triples."""
    made = [Token.of(text, np.log(p), [(other, np.log(q)) for other, q in others]) for text, p, others in tokens]
    return Reply("".join(token.text for token in made), tokens=tuple(made))


BEGIN = ("Answer: ", 1.0, ())


@pytest.mark.parametrize(
    ("given", "shares"),
    [
        (
            reply(BEGIN, ("(", 1.0, ()), ("B", 0.6, [("B", 0.6), ("A", 0.2), ("The", 0.2)]), (")", 1.0, ())),
            (0.25, 0.75),
        ),
        (reply(BEGIN, ("(B)", 0.5, [("(B)", 0.5), ("(A)", 0.5)])), (0.5, 0.5)),
        (reply(BEGIN, ("(B)", 0.9, [("(C)", 0.06)])), (0.04 / 0.94, 0.9 / 0.94)),  # what is left is less than any shown
        (reply(BEGIN, ("(B)", 0.5, [("(C)", 0.1)])), (0.1 / 0.6, 0.5 / 0.6)),  # less than the last one that is shown
        (reply(BEGIN, ("(B)", 0.8, ())), (0.2, 0.8)),
        (reply(("I", 1.0, ()), (" think so", 1.0, ())), (0, 0)),  # no letter
        (reply(BEGIN, ("(C)", 1.0, ())), (0, 0)),  # none of the choices
        (Reply("Answer: (A)", tokens=(Token("Answer", 0.0),)), (0, 0)),  # tokens that are not the text
    ],
)
def test_letters_count_by_what_stood_beside_the_one_written(given, shares):
    assert letter_shares(given, "AB") == pytest.approx(shares)


def test_smollm2_shows_behind_an_address_what_it_computes_in_this_process(loopback, smollm2):
    """It writes "(C) ..." without the "Answer: " that is asked for, which counts as no answer, and is added here."""
    here = LocalChat(smollm2, cache=False)
    chat = RemoteChat(loopback(here), cache=False)
    (item,) = templated_items("esnli", 1)
    asked = messages(prompts.ANSWER.format(item=prompts.item_text(item)))
    said = chat.reply(asked, max_new_tokens=6, logprobs=True)
    assert not letter_shares(said, item.letters).any()
    whole = Reply(f"Answer: {said.text}", tokens=(Token("Answer: ", 0.0), *said.tokens))
    ways = here.log_probabilities([asked] * 3, [f"({letter})" for letter in item.letters])
    letters = np.exp([way[1] for way in ways])  # "(", then the letter
    assert letter_shares(whole, item.letters) == pytest.approx(letters / letters.sum(), abs=1e-4)
    assert not np.any(Respondent(chat).shares([item]))
