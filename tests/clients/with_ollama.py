"""Through ollama."""

import numpy as np
import ollama

# Ollama's own default penalises repetition, and the references were made without.
PLAIN = {"temperature": 0, "repeat_penalty": 1.0}


def client(options):
    headers = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    return ollama.Client(host=options.url, headers=headers)


def refused(status, text, call):
    try:
        call()
    except ollama.ResponseError as error:
        assert error.status_code == status, error
        assert text in error.error, error
        return
    raise AssertionError("it was not refused")


def models(api, options):
    """models are listed and shown"""
    names = [model.model for model in api.list().models]
    assert f"{options.chat}:latest" in names and f"{options.embed}:latest" in names, names
    shown = api.show(options.chat)
    assert shown.capabilities == ["completion"] and "messages" in shown.template
    assert api.show(f"{options.embed}:latest").capabilities == ["embedding"]
    assert list(api.ps().models) == []
    refused(404, "no-such-model", lambda: api.show("no-such-model"))


def chats(api, options):
    """chats answer as the reference does, streamed or not"""
    for chat in options.chats:
        answer = api.chat(options.chat, chat["messages"], options=PLAIN)
        assert answer.message.content == chat["answer"], answer
        assert answer.done and answer.done_reason == "stop"
        assert answer.prompt_eval_count == len(chat["prompt_ids"])
        assert 0 < answer.eval_duration < answer.total_duration
        lines = list(api.chat(options.chat, chat["messages"], options=PLAIN, stream=True))
        assert "".join(line.message.content for line in lines) == chat["answer"]
        assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
        assert lines[-1].eval_count == answer.eval_count


def generated(api, options):
    """a prompt is answered, and its context goes on"""
    chat = options.chats[0]
    question = chat["messages"][0]["content"]
    answer = api.generate(options.chat, question, options=PLAIN)
    assert answer.response == chat["answer"], answer
    assert answer.context[: len(chat["prompt_ids"])] == chat["prompt_ids"]
    lines = list(api.generate(options.chat, question, options=PLAIN, stream=True))
    assert "".join(line.response for line in lines) == chat["answer"]
    raw = api.generate(options.chat, chat["prompt"], raw=True, options=PLAIN)
    assert raw.response and raw.context is None
    further = api.generate(options.chat, question, context=answer.context, options={**PLAIN, "num_predict": 2})
    assert further.prompt_eval_count > answer.prompt_eval_count + answer.eval_count
    assert api.generate(options.chat).done_reason == "load"


def limited(api, options):
    """an answer ends before its stop and at its limit"""
    chat = next(chat for chat in options.chats if "Paris" in chat["answer"])
    short = api.chat(options.chat, chat["messages"], options={**PLAIN, "num_predict": 2})
    assert short.done_reason == "length" and short.eval_count == 2
    assert chat["answer"].startswith(short.message.content)
    stopped = api.chat(options.chat, chat["messages"], options={**PLAIN, "stop": [" Paris"]})
    assert stopped.done_reason == "stop" and stopped.message.content == chat["answer"].split(" Paris")[0]


def seeded(api, options):
    """the same seed gives the same answer"""
    warm = {"temperature": 1.5, "num_predict": 24, "seed": 11}
    first, second = (api.chat(options.chat, options.chats[0]["messages"], options=warm) for _ in range(2))
    assert first.message.content == second.message.content


def likely(api, options):
    """logprobs tell what was likely"""
    chat = options.chats[0]
    answer = api.chat(options.chat, chat["messages"], options=PLAIN, logprobs=True, top_logprobs=2)
    assert "".join(token.token for token in answer.logprobs) == chat["answer"]
    assert all(len(token.top_logprobs) == 2 and token.logprob <= 0 for token in answer.logprobs)


def vectors(api, options):
    """vectors are those of the reference, in the new form and the old"""
    texts = [text["text"] for text in options.texts]
    wanted = np.array([text["normalized"] for text in options.texts])
    answer = api.embed(options.embed, texts)
    assert np.allclose(answer.embeddings, wanted, atol=2e-5)
    assert answer.prompt_eval_count == sum(len(text["ids"]) for text in options.texts)
    assert np.allclose(api.embed(options.embed, texts[0]).embeddings, wanted[:1], atol=2e-5)
    assert np.allclose(api.embeddings(options.embed, texts[1]).embedding, wanted[1], atol=2e-5)
    assert len(api.embed(options.embed, "hot " * 500).embeddings) == 1
    refused(400, "at most", lambda: api.embed(options.embed, "hot " * 500, truncate=False))


def unbuilt(api, options):
    """what is not built is refused by name"""
    hello = [{"role": "user", "content": "Hello"}]
    tool = {"type": "function", "function": {"name": "f", "description": "f", "parameters": {"type": "object"}}}
    refused(400, "tools are not built", lambda: api.chat(options.chat, hello, tools=[tool]))
    refused(400, "JSON modes", lambda: api.chat(options.chat, hello, format="json"))
    refused(400, "thinking", lambda: api.chat(options.chat, hello, think=True))
    refused(400, "images", lambda: api.chat(options.chat, [{**hello[0], "images": [b"png"]}]))
    refused(400, "mirostat", lambda: api.chat(options.chat, hello, options={"mirostat": 1}))
    refused(400, "suffix", lambda: api.generate(options.chat, "a", suffix="b"))
    refused(400, "dimensions", lambda: api.embed(options.embed, "a", dimensions=8))
    refused(400, "does not generate", lambda: api.chat(options.embed, hello))
    refused(404, "no-such-model", lambda: api.chat("no-such-model", hello))
    refused(404, "assay model create", lambda: api.pull("llama3.2"))
    refused(404, "assay model create", lambda: api.delete(options.chat))


CHECKS = [models, chats, generated, limited, seeded, likely, vectors, unbuilt]
