"""OpenAI's own client, as a chat UI uses it: it resends the history, edits, asks for another answer, and is two users
at once. What the memory behind an answer holds is read off the echo.
"""

from typing import Any

import httpx2
import pytest
from openai import APIStatusError, AuthenticationError, BadRequestError, NotFoundError, OpenAI, PermissionDeniedError

from tests.api.talk import held, look, of, post, turns
from tests.chats.conftest import openai
from tests.support.live import Live

Messages = list[Any]


def ask(chat: OpenAI, user: str, messages: Messages, text: str, **more: Any) -> Any:
    """Says something in a conversation and keeps both in the client's history; the completion."""
    messages.append({"role": "user", "content": text})
    answer = chat.chat.completions.create(model="memos", messages=messages, user=user, **more)
    messages.append({"role": "assistant", "content": answer.choices[0].message.content})
    return answer


def content(answer: Any) -> str:
    return str(answer.choices[0].message.content)


def place(answer: Any) -> tuple[str, int]:
    return answer.memos["conversation_id"], answer.memos["seq"]


def test_a_resent_history_goes_on_in_one_conversation(chat: OpenAI, client: httpx2.Client, user: str) -> None:
    messages: Messages = []
    answers = [ask(chat, user, messages, f"turn {number}") for number in range(4)]
    assert [held(content(answer)) for answer in answers] == [
        of(*(f"turn {earlier}" for earlier in range(number))) for number in range(4)
    ]
    assert {place(answer)[0] for answer in answers} == {place(answers[0])[0]}
    assert [place(answer)[1] for answer in answers] == [1, 2, 3, 4]
    line = turns(client, place(answers[0])[0])
    assert [turn["input"] for turn in line] == ["turn 0", "turn 1", "turn 2", "turn 3"]
    (conversation,) = client.get("/v1/conversations", params={"user_id": user}).json()["items"]
    assert conversation["user_id"] == user


def test_the_answer_is_a_completion(chat: OpenAI, user: str) -> None:
    answer = ask(chat, user, [], "hello there")
    assert (answer.object, answer.model, answer.choices[0].finish_reason) == ("chat.completion", "memos", "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer.id == f"chatcmpl-{answer.memos['turn_id']}"
    raw = chat.chat.completions.with_raw_response.create(
        model="memos", messages=[{"role": "user", "content": "hello there"}], user=user, max_tokens=2
    )
    assert raw.headers["x-memos-conversation"].startswith("conv_")
    assert raw.headers["x-memos-turn"].startswith("turn_")
    assert raw.parse().choices[0].finish_reason == "length"


def test_streaming_says_the_same_in_pieces(chat: OpenAI, user: str) -> None:
    messages: Messages = [{"role": "user", "content": "one two three four"}]
    with chat.chat.completions.create(
        model="memos", messages=messages, user=user, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks: list[Any] = list(stream)
    said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(said) > 3
    assert "".join(said).endswith("one two three four")
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert {chunk.id for chunk in chunks} == {f"chatcmpl-{chunks[-2].memos['turn_id']}"}
    messages.append({"role": "assistant", "content": "".join(said)})
    assert held(content(ask(chat, user, messages, "and"))) == of("one two three four")


def test_an_edited_message_forks_where_it_stands(chat: OpenAI, client: httpx2.Client, user: str) -> None:
    messages: Messages = []
    whole = [ask(chat, user, messages, text) for text in ("a", "b", "c")]
    edited = messages[:2]
    answer = ask(chat, user, edited, "B")
    assert held(content(answer)) == of("a")
    assert place(answer)[0] != place(whole[0])[0]
    fork = client.get(f"/v1/conversations/{place(answer)[0]}").json()
    assert fork["forked_from"] == {"conversation_id": place(whole[0])[0], "at_turn": 1}
    assert held(content(ask(chat, user, edited, "C"))) == of("a", "B")
    assert held(content(ask(chat, user, messages, "d"))) == of("a", "b", "c")  # and the other goes on as it was


def test_an_answer_made_anew_forks_before_it(chat: OpenAI, client: httpx2.Client, user: str) -> None:
    messages: Messages = []
    for text in ("a", "b"):
        first = ask(chat, user, messages, text)
    again = chat.chat.completions.create(model="memos", messages=messages[:3], user=user)
    assert held(content(again)) == of("a")
    assert place(again) != place(first)
    assert place(again)[1] == 2
    after: Messages = [*messages[:3], {"role": "assistant", "content": content(again)}]
    assert held(content(ask(chat, user, after, "c"))) == of("a", "b")  # once, however often it was answered
    (line,) = [turns(client, place(first)[0])]
    assert [turn["input"] for turn in line] == ["a", "b"]


def test_a_history_from_elsewhere_is_taken_in(chat: OpenAI, client: httpx2.Client, user: str) -> None:
    messages: Messages = [
        {"role": "assistant", "content": "Welcome!"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "said elsewhere"},
        {"role": "user", "content": [{"type": "text", "text": "b"}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "42", "tool_call_id": "x"},
        {"role": "assistant", "content": "also elsewhere"},
    ]
    answer = ask(chat, user, messages, "c")
    assert held(content(answer)) == of("", "a", "b")
    assert [turn["output"] for turn in turns(client, place(answer)[0])][:2] == ["Welcome!", "said elsewhere"]
    assert place(ask(chat, user, messages, "d")) == (place(answer)[0], 5)
    cut = [*messages[:3], {"role": "user", "content": "not b"}]  # an edit within what was taken in
    edited = chat.chat.completions.create(model="memos", messages=cut, user=user)
    assert held(content(edited)) == of("", "a")


def test_a_stopped_answer_is_remembered_as_the_client_has_it(chat: OpenAI, user: str) -> None:
    messages: Messages = []
    ask(chat, user, messages, "a")
    whole = ask(chat, user, messages, "one two three")
    messages[-1] = {"role": "assistant", "content": content(whole)[:8]}
    answer = ask(chat, user, messages, "go on")
    assert held(content(answer)) == of("a", "one two three")
    assert place(answer)[0] != place(whole)[0]


def test_what_the_application_tells_is_heard_and_not_remembered(chat: OpenAI, client: httpx2.Client, user: str) -> None:
    messages: Messages = [{"role": "system", "content": "Speak as a pirate. It is 12:01."}]
    first = ask(chat, user, messages, "/recall a")
    assert "Speak as a pirate. It is 12:01." in content(first)
    messages[0]["content"] = "Speak as a pirate. It is 12:02."  # many clients say the time there
    second = ask(chat, user, messages, "/recall b")
    assert "12:02" in content(second)
    assert place(second) == (place(first)[0], 2)
    assert "pirate" not in str([turn["input"] for turn in turns(client, place(first)[0])])


def test_two_users_who_say_the_same_are_two(chat: OpenAI, client: httpx2.Client, user: str) -> None:
    histories: dict[str, Messages] = {user: [], f"{user}-other": []}
    for text in ("a", "b"):
        answers = {name: ask(chat, name, messages, text) for name, messages in histories.items()}
    assert len({place(answer)[0] for answer in answers.values()}) == 2
    for name, answer in answers.items():
        assert held(content(answer)) == of("a")
        assert client.get(f"/v1/conversations/{place(answer)[0]}").json()["user_id"] == name


def test_a_named_conversation_goes_on_whatever_is_sent(
    live: Live, chat: OpenAI, client: httpx2.Client, user: str
) -> None:
    conversation = live.conversation(client, user)
    with openai(live, X_Memos_Conversation=conversation) as named:
        outputs = [content(ask(named, user, [], "yes")) for _ in range(3)]
    assert [held(output) for output in outputs] == [of(*["yes"] * number) for number in range(3)]


def test_another_users_conversation_does_not_exist(live: Live, client: httpx2.Client, user: str) -> None:
    """By a guessed header: with the application's key and with a token, neither read nor gone on in."""
    conversation = live.conversation(client, "ada")
    before = turns(client, conversation)
    token = post(client, "/v1/tokens", {"user_id": user}).json()["token"]
    for key in (None, token):
        guessing = openai(live, key=key, X_Memos_Conversation=conversation)
        with guessing, pytest.raises(NotFoundError) as refused:
            ask(guessing, user, [], "may I?")
        assert refused.value.code == "not_found"
    assert turns(client, conversation) == before
    with openai(live, key=token) as limited, pytest.raises(PermissionDeniedError):
        ask(limited, "ada", [], "may I?")
    with openai(live, key=token) as limited:
        assert content(ask(limited, user, [], "hello"))


def test_without_a_user_it_is_the_keys_own(live: Live, client: httpx2.Client) -> None:
    made = post(client, "/v1/keys", {"name": "a chat UI", "scopes": ["app"]}).json()
    with openai(live, key=made["key"]) as plain:
        answer = plain.chat.completions.create(model="memos", messages=[{"role": "user", "content": "hello"}])
    assert client.get(f"/v1/conversations/{place(answer)[0]}").json()["user_id"] == made["id"]


def test_options_reach_the_turn(chat: OpenAI, user: str) -> None:
    answer = ask(chat, user, [], "one two three", stop=["two"], seed=-1, temperature=0.5, top_p=0.9)
    assert content(answer).endswith("one ")
    assert answer.choices[0].finish_reason == "stop"
    assert ask(chat, user, [], "one", max_completion_tokens=3).usage.completion_tokens == 3
    ask(chat, user, [], "one", max_tokens=100_000, presence_penalty=0.5, extra_body={"anything": {"else": 1}})


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"n": 2}, "unsupported"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "unsupported"),
        ({"response_format": {"type": "json_object"}}, "unsupported"),
        ({"logprobs": True}, "unsupported"),
        ({"temperature": 3}, "invalid"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "unsupported",
        ),
        ({"messages": [{"role": "assistant", "content": "hm"}]}, "no_user_message"),
        ({"messages": [{"role": "user", "content": "nul \x00"}]}, "invalid"),
        ({"messages": []}, "invalid"),
    ],
)
def test_what_cannot_be_honoured_is_refused(chat: OpenAI, more: dict[str, Any], code: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        chat.chat.completions.create(**({"model": "memos", "messages": [{"role": "user", "content": "a"}]} | more))
    assert (refused.value.code, refused.value.type) == (code, "invalid_request_error")
    assert refused.value.param
    assert refused.value.request_id


def test_errors_have_openais_shape(live: Live, chat: OpenAI) -> None:
    with openai(live, key="mk_" + "x" * 43) as unknown, pytest.raises(AuthenticationError) as refused:
        unknown.models.list()
    assert refused.value.code == "unauthorized"
    with pytest.raises(NotFoundError) as missing:
        chat.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "a"}])
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    assert "GET /v1/models" in missing.value.message
    with pytest.raises(APIStatusError) as large:
        chat.chat.completions.create(model="memos", messages=[{"role": "user", "content": "a" * 40_000}])
    assert (large.value.status_code, large.value.code) == (413, "too_large")


def test_models_are_listed(chat: OpenAI) -> None:
    assert [model.id for model in chat.models.list()] == ["memos", "echo"]


def test_an_erasure_takes_the_digests(live: Live, chat: OpenAI, client: httpx2.Client, user: str) -> None:
    messages: Messages = []
    answers = [ask(chat, user, messages, text) for text in ("a", "b", "c")]
    conversation = place(answers[0])[0]
    count = "SELECT count(*) AS n FROM chat_turns WHERE conversation_id = %s"
    assert look(live, count, conversation)[0]["n"] == 3
    live.settled(client, conversation)
    wanted = post(client, "/v1/erasures", {"turn_id": answers[1].memos["turn_id"]}).json()
    while client.get(f"/v1/erasures/{wanted['id']}").json()["status"] not in ("done", "failed"):
        pass
    receipt = client.get(f"/v1/erasures/{wanted['id']}").json()
    assert receipt["status"] == "done"
    assert look(live, count, conversation)[0]["n"] == 0
