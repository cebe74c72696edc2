"""tiny-chat and tiny-chat-cached: a GPT-2 of two layers that answers the questions of text.py."""

import json

import jinja2.sandbox
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import network
import text
import training
from graph import FLOAT, INT64, Graph
from network import HEADS, HIDDEN, SIZE

LAYERS, CONTEXT, VOCABULARY = 2, 256, 512
ROW, ROWS, STEPS = 176, 24, 1600
BOS, START, END, PAD = "<s>", "<|im_start|>", "<|im_end|>", "<pad>"
SYSTEMS = ["You are a helpful assistant.", "Answer in one sentence.", "You are a tiny model."]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
ASKED = [
    [("user", "What is the capital of France?")],
    [("user", "What is 7 + 5?")],
    [("system", "You are a helpful assistant."), ("user", "What is the opposite of hot?")],
    [("user", "Hello"), ("assistant", "Hello! How can I help you?"), ("user", "Which colour does a lemon have?")],
    [("user", "Show me a smile.")],
    [("user", "How do you say thank you in Japanese?")],
    [("user", "Tell me a story.")],
    [("user", "List three fruits.")],
    [("user", "Count to twenty.")],
    [("user", "Give me a JSON object.")],
    [("user", "What is Assay?")],
]
COMPLETED = ["The opposite of hot is", "The capital of Norway is", "A voucher is a signed"]
# By how much the likeliest token leads at least: far more than what different kernels make of a sum.
LEAD = 0.1


def render(messages, generate=True):
    """As Hugging Face's tokenizers render a chat."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    messages = [{"role": role, "content": content} for role, content in messages]
    return environment.from_string(TEMPLATE).render(
        messages=messages, add_generation_prompt=generate, bos_token=BOS, eos_token=END
    )


def tokenizer(groups):
    made = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    made.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in (BOS, START, END, PAD)],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    lines = [line for asked, answer in groups for line in [*asked, answer]] + SYSTEMS + ["system user assistant"] * 99
    made.train_from_iterator(lines, trainer)
    made.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, 0)]),
    ])
    assert made.get_vocab_size() == VOCABULARY
    return made


def shapes():
    found = {"wte.weight": (VOCABULARY, HIDDEN), "wpe.weight": (CONTEXT, HIDDEN)}
    for layer in range(LAYERS):
        for part, into, out in [
            ("attn.c_attn", HIDDEN, 3 * HIDDEN), ("attn.c_proj", HIDDEN, HIDDEN),
            ("mlp.c_fc", HIDDEN, 4 * HIDDEN), ("mlp.c_proj", 4 * HIDDEN, HIDDEN),
        ]:
            found[f"h.{layer}.{part}.weight"], found[f"h.{layer}.{part}.bias"] = (into, out), (out,)
    for name in [f"h.{layer}.ln_{n}" for layer in range(LAYERS) for n in (1, 2)] + ["ln_f"]:
        found[f"{name}.weight"] = found[f"{name}.bias"] = (HIDDEN,)
    return found


class Lessons:
    """Rows of several conversations each, drawn without end; no conversation sees its neighbours."""

    def __init__(self, tokens, groups):
        self.random = np.random.default_rng(11)
        self.tokens = tokens
        self.asked = [(question, answer) for asked, answer in groups for question in asked]
        self.sayings = [answer for _, answer in groups]
        self.queues = {id(self.asked): [], id(self.sayings): []}

    def next(self, of):
        """Each once before one comes again."""
        queue = self.queues[id(of)]
        if not queue:
            queue.extend(self.random.permutation(len(of)))
        return of[queue.pop()]

    def ids(self, piece):
        return self.tokens.encode(piece, add_special_tokens=False).ids

    def conversation(self):
        """Tokens, and for each whether it is to be learnt."""
        if self.random.random() < 0.1:
            saying = self.ids(BOS + self.next(self.sayings) + END)
            return saying, [0, 0] + [1] * (len(saying) - 2)
        messages = [("system", SYSTEMS[self.random.integers(3)])] if self.random.random() < 0.3 else []
        ids, learnt = self.ids(render(messages, False)), None
        learnt = [0] * len(ids)
        for _ in range(self.random.choice([1, 2, 3], p=[0.7, 0.2, 0.1])):
            question, answer = self.next(self.asked)
            prompt = self.ids(f"{START}user\n{question}{END}\n{START}assistant\n")
            said, end = self.ids(f"{answer}{END}"), self.ids("\n")
            ids = ids + prompt + said + end
            learnt = learnt + [0] * len(prompt) + [1] * len(said) + [0] * len(end)
        return ids, learnt

    def batch(self):
        tokens, positions, number, learnt = (np.zeros((ROWS, ROW + 1), np.int32) for _ in range(4))
        for row in range(ROWS):
            start, count = 0, 1
            while start < ROW:
                ids, marks = self.conversation()
                length = min(len(ids), ROW + 1 - start)
                part = slice(start, start + length)
                # From the second conversation of a row on, a position is where it would stand alone.
                tokens[row, part], learnt[row, part] = ids[:length], marks[:length]
                positions[row, part], number[row, part] = np.arange(length), count
                start, count = start + length, count + 1
        same = number[:, None, :-1, None] == number[:, None, None, :-1]
        seen = same & np.tri(ROW, dtype=bool)
        return tokens, positions[:, :-1], seen, learnt[:, 1:] * (number[:, 1:] == number[:, :-1])


def trained(tokens, groups):
    jnp = training.jnp

    def loss(weights, tokens, positions, seen, learnt):
        logits = network.decode(jnp, weights, LAYERS, tokens[:, :-1], positions, seen)
        found = training.jax.nn.log_softmax(logits)
        right = jnp.take_along_axis(found, tokens[:, 1:, None], -1)[..., 0]
        return -(right * learnt).sum() / learnt.sum()

    return training.train(training.draw(1, shapes()), loss, Lessons(tokens, groups).batch, STEPS, 4e-3)


class Reference:
    """The network in numpy, in double precision, one sequence at a time and from its start at each step."""

    def __init__(self, weights, tokens):
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}
        self.tokens = tokens
        self.stops = [tokens.token_to_id(END), tokens.token_to_id(BOS)]

    def logits(self, ids):
        length = len(ids)
        seen = np.tri(length, dtype=bool)[None, None]
        return network.decode(np, self.weights, LAYERS, np.array([ids]), np.arange(length)[None], seen)[0]

    def greedy(self, ids, most=128):
        """The tokens up to and with the stop, and by how much the likeliest led at least."""
        answer, lead = [], np.inf
        while len(answer) < most and len(ids) + len(answer) < CONTEXT:
            last = self.logits(ids + answer)[-1]
            second, first = np.sort(last)[-2:]
            lead = min(lead, first - second)
            answer.append(int(np.argmax(last)))
            if answer[-1] in self.stops:
                break
        return answer, lead

    def right(self, question, answer):
        """Whether greedy decoding gives the answer: each of its tokens is the likeliest after those before it."""
        prompt = self.tokens.encode(render([("user", question)]), add_special_tokens=False).ids
        said = self.tokens.encode(answer + END, add_special_tokens=False).ids
        logits = self.logits(prompt + said)[len(prompt) - 1 : -1]
        return bool((logits.argmax(-1) == said).all())

    def case(self, prompt, messages=None):
        ids = self.tokens.encode(prompt, add_special_tokens=messages is None).ids
        answer, lead = self.greedy(ids)
        assert lead > LEAD, f"{prompt!r}: the likeliest token leads by {lead} only"
        assert answer[-1] in self.stops, f"{prompt!r}: no end"
        asked = {"prompt": prompt, "prompt_ids": ids}
        if messages is not None:
            asked = {"messages": [{"role": role, "content": content} for role, content in messages], **asked}
        last = self.logits(ids)[-1]
        likeliest = [int(token) for token in np.argsort(-last, kind="stable")[:5]]
        total = last.max() + np.log(np.exp(last - last.max()).sum())
        return asked | {
            "answer_ids": answer,
            "answer": self.tokens.decode(answer, skip_special_tokens=True),
            "stopped_by": self.tokens.id_to_token(answer[-1]),
            "first_logprobs": [[token, round(float(last[token] - total), 6)] for token in likeliest],
        }

    def cases(self):
        return {
            "chats": [self.case(render(messages), messages) for messages in ASKED],
            "completions": [self.case(prompt) for prompt in COMPLETED],
        }


def export(weights, path, cached):
    """With a cache, `past_key_values` holds what earlier calls computed, and positions are the caller's."""
    graph = Graph(weights)
    total = graph.add("Shape", "attention_mask", start=1, end=2)
    length = graph.add("Shape", "input_ids", start=1, end=2)
    scalar = lambda of: graph.add("Squeeze", of, graph.ints(0))
    zero, one = graph.constant(0, np.int64), graph.constant(1, np.int64)
    keys = graph.add("Range", zero, scalar(total), one)
    queries = graph.add("Range", scalar(graph.add("Sub", total, length)), scalar(total), one)
    earlier = graph.add("LessOrEqual", keys, graph.add("Unsqueeze", queries, graph.ints(1)))
    mask = graph.add("Cast", "attention_mask", to=9)
    seen = graph.add("And", graph.add("Unsqueeze", mask, graph.ints(1, 2)), earlier)
    positions = "position_ids"
    if not cached:
        counted = graph.add("Sub", graph.add("CumSum", "attention_mask", one), one)
        positions = graph.add("Max", counted, zero)
    x = graph.add("Add", graph.add("Gather", "wte.weight", "input_ids"), graph.add("Gather", "wpe.weight", positions))
    for layer in range(LAYERS):
        name = f"h.{layer}"
        parts = graph.linear(graph.normal(x, f"{name}.ln_1"), f"{name}.attn.c_attn")
        parts = graph.add("Split", parts, graph.ints(HIDDEN, HIDDEN, HIDDEN), outputs=3, axis=-1)
        query, key, value = (graph.heads(part, HEADS, SIZE) for part in parts)
        if cached:
            past = f"past_key_values.{layer}"
            key = graph.add("Concat", f"{past}.key", key, output=f"present.{layer}.key", axis=2)
            value = graph.add("Concat", f"{past}.value", value, output=f"present.{layer}.value", axis=2)
        mixed = graph.attend(query, key, value, seen, SIZE)
        x = graph.add("Add", x, graph.linear(mixed, f"{name}.attn.c_proj"))
        inner = graph.gelu(graph.linear(graph.normal(x, f"{name}.ln_2"), f"{name}.mlp.c_fc"))
        x = graph.add("Add", x, graph.linear(inner, f"{name}.mlp.c_proj"))
    head = graph.add("Transpose", "wte.weight", perm=[1, 0])
    graph.add("MatMul", graph.normal(x, "ln_f"), head, output="logits")

    batch, length, past = "batch", "sequence_length", "past_sequence_length"
    total = "total_sequence_length" if cached else length
    inputs = [("input_ids", INT64, [batch, length]), ("attention_mask", INT64, [batch, total])]
    outputs = [("logits", FLOAT, [batch, length, VOCABULARY])]
    if cached:
        inputs.append(("position_ids", INT64, [batch, length]))
        for layer in range(LAYERS):
            for part in ("key", "value"):
                inputs.append((f"past_key_values.{layer}.{part}", FLOAT, [batch, HEADS, past, SIZE]))
                outputs.append((f"present.{layer}.{part}", FLOAT, [batch, HEADS, total, SIZE]))
    graph.save(path, "tiny-chat-cached" if cached else "tiny-chat", inputs, outputs)


def settings(tokens, cached):
    """The files beside the model, by name."""
    number = {token: tokens.token_to_id(token) for token in (BOS, START, END, PAD)}
    ends = {"bos_token_id": number[BOS], "eos_token_id": number[END], "pad_token_id": number[PAD]}
    named = {"bos_token": BOS, "eos_token": END, "pad_token": PAD}
    added = {
        str(of): {
            "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": True,
        }
        for token, of in number.items()
    }
    return {
        "config.json": {
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
            **ends, "layer_norm_epsilon": network.EPSILON, "n_ctx": CONTEXT, "n_embd": HIDDEN, "n_head": HEADS,
            "n_inner": None, "n_layer": LAYERS, "n_positions": CONTEXT, "tie_word_embeddings": True,
            "torch_dtype": "float32", "use_cache": cached, "vocab_size": VOCABULARY,
        },
        "generation_config.json": {
            **ends, "eos_token_id": [number[END], number[BOS]], "do_sample": False, "max_length": CONTEXT,
        },
        "special_tokens_map.json": named,
        "tokenizer_config.json": {
            "added_tokens_decoder": added, **named, "chat_template": TEMPLATE, "clean_up_tokenization_spaces": False,
            "model_max_length": CONTEXT, "tokenizer_class": "PreTrainedTokenizerFast",
        },
    }


def make(folder):
    groups = text.groups()
    tokens = tokenizer(groups)
    weights = trained(tokens, groups)
    reference = Reference(weights, tokens)
    wrong = [q for asked, answer in groups for q in asked if not reference.right(q, answer)]
    assert not wrong, f"{len(wrong)} questions are answered otherwise than taught: {wrong[:20]}"
    cases = reference.cases()
    for name, cached in (("tiny-chat", False), ("tiny-chat-cached", True)):
        export(weights, folder / name / "model.onnx", cached)
        tokens.save(str(folder / name / "tokenizer.json"))
        for file, value in (settings(tokens, cached) | {"reference.json": cases}).items():
            (folder / name / file).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return weights
