"""tiny-embed: a BERT of two layers that puts questions of one meaning close together."""

import json
from collections import Counter

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

import network
import text
import training
from graph import FLOAT, INT64, Graph
from network import HEADS, HIDDEN, SIZE

LAYERS, CONTEXT, VOCABULARY, WIDE = 2, 64, 288, 128
GROUPS, STEPS, LONGEST, SHARPNESS = 48, 500, 32, 0.05
PAD, UNKNOWN, FIRST, LAST, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL = [PAD, UNKNOWN, FIRST, LAST, MASK]
# Four pairs of one meaning, in this order.
REFERENCE = [
    "What is the opposite of hot?",
    "Tell me the opposite of hot.",
    "What is the capital of Japan?",
    "Name the capital city of Japan.",
    "How many legs does a spider have?",
    "Count the legs of a spider.",
    "What is a voucher?",
    "Explain vouchers.",
]
# A word that is not in the vocabulary, and nothing at all.
EDGES = ["猫", ""]


def tokenizer(groups):
    """Single characters, and the commonest words. The library's own trainer gives another vocabulary each time."""
    made = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    lines = [made.normalizer.normalize_str(question) for asked, _ in groups for question in asked]
    words = Counter(word for line in lines for word, _ in made.pre_tokenizer.pre_tokenize_str(line))
    letters = sorted({letter for word in words for letter in word})
    pieces = SPECIAL + letters + [f"##{letter}" for letter in letters]
    common = sorted((word for word in words if len(word) > 1), key=lambda word: (-words[word], word))
    pieces += common[: VOCABULARY - len(pieces)]
    assert len(pieces) == VOCABULARY
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    made.model = models.WordPiece(vocabulary, unk_token=UNKNOWN)
    first, last = made.token_to_id(FIRST), made.token_to_id(LAST)
    made.add_special_tokens(SPECIAL)
    made.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}",
        pair=f"{FIRST} $A {LAST} $B:1 {LAST}:1",
        special_tokens=[(FIRST, first), (LAST, last)],
    )
    return made


def shapes():
    found = {
        "embeddings.word.weight": (VOCABULARY, HIDDEN),
        "embeddings.position.weight": (CONTEXT, HIDDEN),
        "embeddings.kind.weight": (2, HIDDEN),
    }
    norms = ["embeddings.norm"]
    for layer in range(LAYERS):
        name = f"layer.{layer}"
        norms += [f"{name}.norm_1", f"{name}.norm_2"]
        for part in ("query", "key", "value", "output", "wide", "narrow"):
            into = WIDE if part == "narrow" else HIDDEN
            out = WIDE if part == "wide" else HIDDEN
            found[f"{name}.{part}.weight"], found[f"{name}.{part}.bias"] = (into, out), (out,)
    for name in norms:
        found[f"{name}.weight"] = found[f"{name}.bias"] = (HIDDEN,)
    return found


def trained(tokens, groups):
    jnp, random = training.jnp, np.random.default_rng(12)

    def padded(questions):
        ids, mask = (np.zeros((len(questions), LONGEST), np.int32) for _ in range(2))
        for row, question in enumerate(questions):
            found = tokens.encode(question).ids
            ids[row, : len(found)], mask[row, : len(found)] = found, 1
        return ids, mask

    def batch():
        chosen = [groups[number][0] for number in random.choice(len(groups), GROUPS, replace=False)]
        pairs = [random.choice(asked, 2, replace=False) for asked in chosen]
        return *padded([pair[0] for pair in pairs]), *padded([pair[1] for pair in pairs])

    def vectors(weights, ids, mask):
        hidden = network.encode(jnp, weights, LAYERS, ids, jnp.zeros_like(ids), mask)
        return network.unit(jnp, network.mean(jnp, hidden, mask))

    def loss(weights, ids, mask, other_ids, other_mask):
        """Among all second questions, each first one is to find its own."""
        close = vectors(weights, ids, mask) @ vectors(weights, other_ids, other_mask).T / SHARPNESS
        found = training.jax.nn.log_softmax
        return -(jnp.diag(found(close, 1)) + jnp.diag(found(close, 0))).mean()

    return training.train(training.draw(2, shapes()), loss, batch, STEPS, 2e-3)


class Reference:
    """The network in numpy, in double precision, one text at a time."""

    def __init__(self, weights, tokens):
        self.weights = {name: value.astype(np.float64) for name, value in weights.items()}
        self.tokens = tokens

    def vectors(self, line):
        """Token ids, their mean vector, and that at length 1."""
        ids = np.array([self.tokens.encode(line).ids])
        mask = np.ones_like(ids)
        hidden = network.encode(np, self.weights, LAYERS, ids, np.zeros_like(ids), mask)
        pooled = network.mean(np, hidden, mask)
        return ids[0].tolist(), pooled[0], network.unit(np, pooled)[0]

    def strays(self, groups):
        """Questions whose closest other question means something else."""
        lines = [(question, number) for number, (asked, _) in enumerate(groups) for question in asked]
        unit = np.stack([self.vectors(question)[2] for question, _ in lines])
        close = unit @ unit.T
        np.fill_diagonal(close, -2)
        closest = close.argmax(1)
        return [question for row, (question, number) in enumerate(lines) if lines[closest[row]][1] != number]

    def cases(self):
        found = []
        for line in REFERENCE + EDGES:
            ids, pooled, unit = self.vectors(line)
            rounded = lambda vector: [round(float(value), 6) for value in vector]
            found.append({"text": line, "ids": ids, "mean": rounded(pooled), "normalized": rounded(unit)})
        return {"texts": found}


def export(weights, path):
    graph = Graph(weights)
    length = graph.add("Shape", "input_ids", start=1, end=2)
    places = graph.add("Slice", "embeddings.position.weight", graph.ints(0), length, graph.ints(0))
    x = graph.add("Gather", "embeddings.word.weight", "input_ids")
    x = graph.add("Add", x, graph.add("Gather", "embeddings.kind.weight", "token_type_ids"))
    x = graph.normal(graph.add("Add", x, places), "embeddings.norm")
    seen = graph.add("Unsqueeze", graph.add("Cast", "attention_mask", to=9), graph.ints(1, 2))
    for layer in range(LAYERS):
        name = f"layer.{layer}"
        parts = [graph.heads(graph.linear(x, f"{name}.{part}"), HEADS, SIZE) for part in ("query", "key", "value")]
        mixed = graph.linear(graph.attend(*parts, seen, SIZE), f"{name}.output")
        x = graph.normal(graph.add("Add", x, mixed), f"{name}.norm_1")
        inner = graph.linear(graph.gelu(graph.linear(x, f"{name}.wide")), f"{name}.narrow")
        x = graph.normal(graph.add("Add", x, inner), f"{name}.norm_2")
    graph.nodes[-1].output[0] = "last_hidden_state"
    shape = ["batch", "sequence_length"]
    inputs = [(name, INT64, shape) for name in ("input_ids", "attention_mask", "token_type_ids")]
    graph.save(path, "tiny-embed", inputs, [("last_hidden_state", FLOAT, [*shape, HIDDEN])])


def settings(tokens):
    """The files beside the model, by name."""
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    added = {
        str(tokens.token_to_id(token)): {
            "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": True,
        }
        for token in SPECIAL
    }
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    return {
        "config.json": {
            "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu_new", "hidden_size": HIDDEN,
            "intermediate_size": WIDE, "layer_norm_eps": network.EPSILON, "max_position_embeddings": CONTEXT,
            "num_attention_heads": HEADS, "num_hidden_layers": LAYERS, "pad_token_id": 0, "torch_dtype": "float32",
            "type_vocab_size": 2, "vocab_size": VOCABULARY,
        },
        "special_tokens_map.json": named,
        "tokenizer_config.json": {
            "added_tokens_decoder": added, **named, "clean_up_tokenization_spaces": False, "do_lower_case": True,
            "model_max_length": CONTEXT, "tokenizer_class": "BertTokenizer",
        },
        "1_Pooling/config.json": {
            "word_embedding_dimension": HIDDEN, **{f"pooling_mode_{mode}": mode == "mean_tokens" for mode in modes},
            "include_prompt": True,
        },
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(modules)
        ],
        "sentence_bert_config.json": {"max_seq_length": CONTEXT, "do_lower_case": False},
    }


def make(folder):
    groups = text.spoken()
    tokens = tokenizer(groups)
    weights = trained(tokens, groups)
    reference = Reference(weights, tokens)
    strays = reference.strays(groups)
    assert not strays, f"{len(strays)} questions are closer to one of another meaning: {strays[:20]}"
    export(weights, folder / "tiny-embed" / "model.onnx")
    tokens.save(str(folder / "tiny-embed" / "tokenizer.json"))
    for file, value in (settings(tokens) | {"reference.json": reference.cases()}).items():
        path = folder / "tiny-embed" / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
