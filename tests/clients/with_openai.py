"""Through openai."""

import numpy as np
import openai


def client(options):
    return openai.OpenAI(base_url=f"{options.url}/v1", api_key=options.key or "none", max_retries=0)


def refused(kind, text, call):
    try:
        call()
    except kind as error:
        assert text in str(error), error
        return
    raise AssertionError("it was not refused")


def models(api, options):
    """models are listed and shown"""
    names = [model.id for model in api.models.list()]
    assert options.chat in names and options.embed in names, names
    assert api.models.retrieve(options.chat).id == options.chat
    refused(openai.NotFoundError, "no-such-model", lambda: api.models.retrieve("no-such-model"))


def chats(api, options):
    """chats answer as the reference does"""
    for chat in options.chats:
        answer = api.chat.completions.create(model=options.chat, messages=chat["messages"], temperature=0)
        assert answer.choices[0].message.content == chat["answer"], answer
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.prompt_tokens == len(chat["prompt_ids"])
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def streamed(api, options):
    """streamed chats give the same text, and the usage where asked for"""
    for chat in options.chats:
        chunks = list(
            api.chat.completions.create(
                model=options.chat,
                messages=chat["messages"],
                temperature=0,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
        shown = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert shown == chat["answer"], shown
        assert chunks[0].choices[0].delta.role == "assistant"
        reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        assert reasons[-1] == "stop" and set(reasons[:-1]) == {None}
        assert chunks[-1].usage.prompt_tokens == len(chat["prompt_ids"])
        assert all(chunk.usage is None for chunk in chunks[:-1])


def stopped(api, options):
    """an answer ends before its stop and at its limit, streamed or not"""
    chat = next(chat for chat in options.chats if "Paris" in chat["answer"])
    for stream in (False, True):
        ask = {"model": options.chat, "messages": chat["messages"], "temperature": 0, "stream": stream}
        for more, text, reason in [
            ({"stop": [" Paris"]}, chat["answer"].split(" Paris")[0], "stop"),
            ({"stop": "zzz"}, chat["answer"], "stop"),
            ({"max_tokens": 1}, None, "length"),
            ({"max_completion_tokens": 2}, None, "length"),
        ]:
            answer = api.chat.completions.create(**ask, **more)
            if stream:
                chunks = list(answer)
                shown = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
                ended = chunks[-1].choices[0].finish_reason
            else:
                shown, ended = answer.choices[0].message.content, answer.choices[0].finish_reason
            assert ended == reason, (ended, more)
            assert shown == text if text is not None else chat["answer"].startswith(shown), (shown, more)


def seeded(api, options):
    """the same seed gives the same answer"""
    messages = options.chats[0]["messages"]
    ask = {"model": options.chat, "messages": messages, "temperature": 1.5, "max_tokens": 24}
    first, second = (api.chat.completions.create(**ask, seed=7).choices[0].message.content for _ in range(2))
    assert first == second, (first, second)


def likely(api, options):
    """logprobs tell what was likely"""
    chat = options.chats[0]
    ask = {"model": options.chat, "messages": chat["messages"], "temperature": 0, "logprobs": True, "top_logprobs": 3}
    content = api.chat.completions.create(**ask).choices[0].logprobs.content
    assert b"".join(bytes(token.bytes) for token in content).decode() == chat["answer"]
    for token in content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        assert token.top_logprobs[0].token == token.token
    streamed = api.chat.completions.create(**ask, stream=True)
    tokens = [
        token.token for chunk in streamed if chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content
    ]
    assert tokens == [token.token for token in content]


def biased(api, options):
    """a bias keeps a token out"""
    chat = options.chats[0]
    first = chat["answer_ids"][0]
    ask = {"model": options.chat, "messages": chat["messages"], "temperature": 0, "max_tokens": 8}
    answer = api.chat.completions.create(**ask, logit_bias={str(first): -100})
    assert not chat["answer"].startswith(answer.choices[0].message.content), answer


def completions(api, options):
    """completions go on from a text and from tokens"""
    chat = options.chats[0]
    ask = {"model": options.chat, "temperature": 0, "max_tokens": 64}
    answer = api.completions.create(prompt=chat["prompt_ids"], logprobs=2, **ask)
    assert answer.choices[0].text == chat["answer"] and answer.object == "text_completion"
    assert "".join(answer.choices[0].logprobs.tokens) == chat["answer"]
    streamed = api.completions.create(prompt=chat["prompt_ids"], stream=True, **ask)
    assert "".join(chunk.choices[0].text for chunk in streamed) == chat["answer"]
    short = api.completions.create(model=options.chat, prompt=chat["prompt_ids"], temperature=0, max_tokens=2)
    assert short.usage.completion_tokens == 2 and short.choices[0].finish_reason == "length"


def vectors(api, options):
    """vectors are those of the reference, in both encodings"""
    texts = [text["text"] for text in options.texts]
    wanted = np.array([text["normalized"] for text in options.texts])
    # The client asks for base64 unless it is told otherwise.
    for more in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
        answer = api.embeddings.create(model=options.embed, input=texts, **more)
        found = [one.embedding for one in answer.data]
        if more.get("encoding_format") == "base64":
            import base64

            found = [np.frombuffer(base64.b64decode(one), np.float32) for one in found]
        assert np.allclose(found, wanted, atol=2e-5)
    one = api.embeddings.create(model=options.embed, input=texts[0])
    assert np.allclose(one.data[0].embedding, wanted[0], atol=2e-5)
    tokens = api.embeddings.create(model=options.embed, input=options.texts[1]["ids"])
    assert np.allclose(tokens.data[0].embedding, wanted[1], atol=2e-5)


def unbuilt(api, options):
    """what is not built is refused by name"""
    bad = openai.BadRequestError
    hello = [{"role": "user", "content": "Hello"}]
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]

    def chat(**more):
        return lambda: api.chat.completions.create(**{"model": options.chat, "messages": hello, **more})

    refused(bad, "tools are not built", chat(tools=[tool]))
    refused(bad, "JSON modes", chat(response_format={"type": "json_object"}))
    refused(bad, "only 1 is built", chat(n=2))
    refused(bad, "only text is built", chat(messages=[{"role": "user", "content": picture}]))
    refused(bad, "no_such_field", chat(extra_body={"no_such_field": 1}))
    refused(bad, "temperature", chat(temperature=3))
    refused(bad, "messages", chat(messages=[]))
    refused(bad, "does not generate", chat(model=options.embed))
    refused(openai.NotFoundError, "no-such-model", chat(model="no-such-model"))
    embed = api.embeddings.create
    refused(bad, "dimensions", lambda: embed(model=options.embed, input="a", dimensions=8))
    refused(bad, "no embedding model", lambda: embed(model=options.chat, input="a"))
    refused(bad, "at most", lambda: embed(model=options.embed, input="hot " * 500))
    refused(openai.NotFoundError, "is not served", lambda: api.responses.create(model=options.chat, input="a"))


CHECKS = [models, chats, streamed, stopped, seeded, likely, biased, completions, vectors, unbuilt]
