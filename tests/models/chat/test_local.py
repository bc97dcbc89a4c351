"""Local chat: equal to the model asked alone and by hand, whatever the batch, the thread and the order."""

import threading

import numpy as np
import pytest
import torch

from explicate.core.cost import measure
from explicate.core.interventions import Scale
from explicate.errors import CapabilityError, InputError, WindowError
from explicate.models.chat import LocalChat
from explicate.models.chat.batching import SharedBatches
from explicate.models.chat.messages import Decoding, conversation
from explicate.models.chat.template import MERGED
from explicate.models.language import LanguageModel

QUESTIONS = [
    "The cat",
    "When John and Mary went to the store, John gave a drink to",
    "Anna",
    "Is the value 3.14 today?",
]
COUNT = 8


def by_hand(model, template, question, count=COUNT):
    """The tokens that transformers generates for one question, and their log-probabilities."""
    text = model.tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], chat_template=template, tokenize=False, add_generation_prompt=True
    )
    ids = torch.tensor([model.tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        found = model.module.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, pad_token_id=0
        )
        shares = model.module(found).logits[0].log_softmax(-1)
    new = found[0, ids.shape[1] :]
    return new, shares[ids.shape[1] - 1 : -1].gather(1, new[:, None])[:, 0].numpy()


def test_replies_are_those_of_transformers_one_by_one(chat, template):
    replies = chat.replies(QUESTIONS, max_new_tokens=COUNT, logprobs=True)
    for question, reply in zip(QUESTIONS, replies, strict=True):
        tokens, shares = by_hand(chat.model, template, question)
        assert reply.text == chat.model.tokenizer.decode(tokens, skip_special_tokens=True)
        assert (reply.completion_tokens, reply.prompt_tokens) == (len(tokens), chat.prompt_tokens(question))
        np.testing.assert_allclose([one.log_probability for one in reply.tokens], shares, atol=2e-5)
        for one in reply.tokens:
            values = [value for _, value in one.alternatives]
            assert values == sorted(values, reverse=True)
            assert one.log_probability == pytest.approx(values[0], abs=1e-6)  # greedy takes the likeliest
    assert len({reply.text for reply in replies}) == len(QUESTIONS)


def test_a_reply_goes_on_from_the_first_words_that_it_is_given(chat, template):
    """It writes what transformers writes after a prompt that ends with those words."""
    begin = "No: the"
    asked = chat.model.tokenizer.apply_chat_template(
        [{"role": "user", "content": QUESTIONS[1]}], chat_template=template, tokenize=False, add_generation_prompt=True
    )
    ids = [chat.model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (asked, begin)]
    whole = torch.tensor([ids[0] + ids[1]])
    with torch.no_grad():
        found = chat.model.module.generate(
            whole, attention_mask=torch.ones_like(whole), max_new_tokens=COUNT, do_sample=False, pad_token_id=0
        )
    new = chat.model.tokenizer.decode(found[0, whole.shape[1] :], skip_special_tokens=True)
    reply, plain = (chat.reply(QUESTIONS[1], max_new_tokens=COUNT, begin=words) for words in (begin, ""))
    assert reply.text == begin + new
    assert reply.prompt_tokens == whole.shape[1]
    assert not plain.text.startswith(begin)


def test_an_empty_beginning_leaves_the_place_in_caches_and_logs_as_it_was():
    assert "begin" not in Decoding().to_dict()
    assert Decoding(begin="1.").to_dict()["begin"] == "1."


def test_forty_conversations_equal_forty_alone(llama, template):
    chat = LocalChat(llama, template=template, cache=False)
    questions = [f"{QUESTIONS[number % 4]} {number}" for number in range(40)]
    together = [reply.text for reply in chat.replies(questions, max_new_tokens=COUNT)]
    assert together == [chat.reply(question, max_new_tokens=COUNT).text for question in questions]


def test_rows_that_end_make_room_and_the_others_go_on(small, template):
    model = small()
    chat = LocalChat(model, template=template, cache=False)
    free = [by_hand(model, template, question)[0].tolist() for question in QUESTIONS]
    model.module.generation_config.eos_token_id = [free[0][0], free[1][2], free[2][1]]
    for question, reply in zip(QUESTIONS, chat.replies(QUESTIONS, max_new_tokens=COUNT), strict=True):
        tokens = by_hand(model, template, question)[0]
        assert reply.completion_tokens == len(tokens)
        assert reply.text == model.tokenizer.decode(tokens, skip_special_tokens=True)
        assert reply.finish == (
            "stop" if len(tokens) < COUNT or int(tokens[-1]) in chat.model.end_tokens() else "length"
        )


def test_draws_do_not_depend_on_the_batch(llama, template):
    chat = LocalChat(llama, template=template, cache=False)
    how = {"max_new_tokens": COUNT, "temperature": 1.0}
    together = chat.replies(QUESTIONS, repetition=list(range(4)), **how)
    alone = [chat.reply(question, repetition=number, **how) for number, question in enumerate(QUESTIONS)]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    same = chat.replies(["The cat"] * 6, repetition=list(range(6)), **how)
    assert len({reply.text for reply in same}) == 6


def test_threads_share_batches_and_each_pays_for_its_own(llama, template):
    chat = LocalChat(llama, template=template, cache=False)
    expected = [chat.reply(question, max_new_tokens=COUNT).text for question in QUESTIONS]
    batches = []
    write = llama.write
    found, costs = {}, {}

    def ask(number):
        with measure() as cost:
            found[number] = chat.reply(QUESTIONS[number % 4], max_new_tokens=COUNT).text
        costs[number] = cost

    def counted(prompts, **options):
        batches.append(len(prompts))
        return write(prompts, **options)

    llama.write = counted
    try:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
        with chat._batches._turn:  # nobody begins before all wait
            for thread in threads:
                thread.start()
            while len(chat._batches._waiting) < 12:
                pass
        for thread in threads:
            thread.join()
    finally:
        del llama.write
    assert batches == [12]
    assert [found[number] for number in range(12)] == expected * 3
    assert {(cost.calls, cost.completion_tokens, cost.evaluations) for cost in costs.values()} == {(1, COUNT, COUNT)}


def test_an_interrupted_turn_loses_nothing():
    def work(tasks):
        if 0 in tasks and not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        return [task * 2 for task in tasks]

    interrupted = []
    batches = SharedBatches(lambda waiting: range(len(waiting)), work)
    with pytest.raises(KeyboardInterrupt):
        list(batches.answers([0, 1]))
    assert batches._waiting == []
    assert sorted(batches.answers([0, 1])) == [(0, 0), (1, 2)]


def test_interventions_act_and_have_a_place_of_their_own_in_the_cache(chat):
    clean = chat.reply("The cat", max_new_tokens=COUNT)
    with chat.model.intervene(Scale("L1.resid_post", -2.0)):
        changed = chat.reply("The cat", max_new_tokens=COUNT)
        assert not changed.cached
        assert changed.text != clean.text
        assert chat.reply("The cat", max_new_tokens=COUNT).cached
    assert chat.reply("The cat", max_new_tokens=COUNT) == chat.reply("The cat", max_new_tokens=COUNT)
    assert chat.reply("The cat", max_new_tokens=COUNT).text == clean.text
    assert chat.ledger.calls == 2


def test_an_adapter_and_changed_weights_are_another_model(small, template):
    model = small()
    chat = LocalChat(model, template=template, cache=False)
    clean = chat.fingerprint()
    part = model.module.model.layers[0].mlp
    part.register_parameter("lora_A", torch.nn.Parameter(torch.ones(2)))
    adapted = chat.fingerprint()
    with torch.no_grad():
        part.lora_A.mul_(2.0)
    trained = chat.fingerprint()
    assert len({clean, adapted, trained}) == 3
    del part.lora_A
    assert chat.fingerprint() == clean


def test_template_tokenizer_and_precision_are_part_of_the_fingerprint(llama, template):
    prints = {
        LocalChat(llama, template=template, cache=False).fingerprint(),
        LocalChat(llama, template=template + " ", cache=False).fingerprint(),
        LocalChat(llama, template="plain", cache=False).fingerprint(),
    }
    assert len(prints) == 3


def test_a_system_message_that_a_template_refuses_or_drops_is_merged_and_noted(llama):
    turn = "{% if m.role == 'system' %}SYSTEM{% else %}<{{m.role}}>{{m.content}}\n{% endif %}"
    loop = f"{{% for m in messages %}}{turn}{{% endfor %}}"
    talk = [{"role": "system", "content": "Be brief."}, "Hello?"]
    for act in ("{{ raise_exception('no system role') }}", ""):
        chat = LocalChat(llama, template=loop.replace("SYSTEM", act), cache=False)
        ids, notes = chat.template.ids(conversation(talk))
        assert "<user>Be brief.\n\nHello?" in llama.tokenizer.decode(ids)
        assert notes == (MERGED,)
        assert chat.reply(talk, max_new_tokens=1).notes == (MERGED,)
    with pytest.raises(InputError, match="leaves out the last message"):
        LocalChat(llama, template="nothing", cache=False).reply("Hello?")
    with pytest.raises(InputError, match="refuses the conversation: no way"):
        LocalChat(llama, template="{{ raise_exception('no way') }}", cache=False).reply("Hello?")


def test_a_model_without_a_template_needs_one(llama):
    with pytest.raises(CapabilityError, match="template='plain'"):
        LocalChat(llama, cache=False)
    plain = LocalChat(llama, template="plain", cache=False)
    assert plain.reply("The cat", max_new_tokens=COUNT).text == llama.generate("The cat", max_new_tokens=COUNT)[0]


def test_a_conversation_longer_than_the_window_is_an_error_and_the_others_are_answered(chat):
    assert chat.window == 128
    outcomes = chat.outcomes(["The cat " * 60, "The cat"], max_new_tokens=COUNT)
    assert isinstance(outcomes[0], WindowError)
    assert "nothing is cut" in str(outcomes[0])
    assert outcomes[1].completion_tokens == COUNT
    room = 128 - chat.prompt_tokens("The cat")
    chat.reply("The cat", max_new_tokens=room)
    with pytest.raises(WindowError, match=f"a reply of up to {room + 1} are more than the 128"):
        chat.reply("The cat", max_new_tokens=room + 1)


def test_log_probabilities_of_given_replies(chat, template):
    tokens, shares = by_hand(chat.model, template, "The cat")
    text = chat.model.tokenizer.decode(tokens)
    if chat.model.tokenizer(text, add_special_tokens=False)["input_ids"] == tokens.tolist():
        np.testing.assert_allclose(chat.log_probabilities(["The cat"], [text])[0], shares, atol=2e-5)
    found = chat.log_probabilities(["The cat", "Anna"], [" sat on", " and Tom went"])
    ids = [chat.template.ids(conversation(text))[0] for text in ("The cat", "Anna")]
    for values, prompt, end in zip(found, ids, (" sat on", " and Tom went"), strict=True):
        tail = chat.model.tokenizer(end, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = chat.model.module(torch.tensor([[*prompt, *tail]])).logits[0].log_softmax(-1)
        expected = [float(logits[len(prompt) + place - 1, token]) for place, token in enumerate(tail)]
        np.testing.assert_allclose(values, expected, atol=2e-5)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_fewer_bits_say_how_far_they_agree(llama, template, precision, capsys):
    exact = LocalChat(llama, template=template, cache=False)
    coarse = LocalChat(llama, template=template, precision=precision, cache=False)
    said = capsys.readouterr().err
    assert f"{precision} against float32 on" in said
    assert 0.5 < coarse.agreement.next_token < 1
    assert 0 < coarse.agreement.log_probability < 0.5
    assert coarse.fingerprint() != exact.fingerprint()
    assert coarse.name.endswith(f"({precision})")
    share, exact_share = (one.log_probabilities(["The cat"], [" sat"])[0] for one in (coarse, exact))
    assert 0 < abs(float(share[0] - exact_share[0])) < 0.5
    assert exact.model is llama


def test_fewer_bits_are_refused_where_they_would_hide_something(llama, template):
    with llama.intervene(Scale("L0.z", 2.0)), pytest.raises(CapabilityError, match="interventions"):
        LocalChat(llama, template=template, precision="bfloat16")
    with pytest.raises(InputError, match="no precision 'int4'"):
        LocalChat(llama, template=template, precision="int4")
    import copy

    half = LanguageModel(copy.deepcopy(llama.module).to(torch.bfloat16), llama.tokenizer)
    with pytest.raises(CapabilityError, match="not in float32"):
        LocalChat(half, template=template, precision="int8")


@pytest.mark.slow
def test_smollm2_knows_a_capital(smollm2, tmp_path):
    chat = LocalChat(smollm2, cache=tmp_path)
    reply = chat.reply("What is the capital of France?", max_new_tokens=12)
    assert "Paris" in reply.text
    assert reply.finish == "stop"
    assert chat.reply("What is the capital of France?", max_new_tokens=12).cached
