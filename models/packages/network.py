"""The forward passes, for jax.numpy in training and for numpy in the reference: no ONNX here."""

import numpy as np

HIDDEN, HEADS = 64, 4
SIZE = HIDDEN // HEADS
EPSILON = 1e-5


def gelu(xp, x):
    return 0.5 * x * (1 + xp.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x * x * x)))


def normal(xp, weights, x, name):
    centred = x - x.mean(-1, keepdims=True)
    spread = xp.sqrt((centred * centred).mean(-1, keepdims=True) + EPSILON)
    return centred / spread * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(weights, x, name):
    return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(xp, query, key, value, seen):
    """All of them [batch, sequence, hidden]; `seen` [batch, 1, query, key] says which keys a query may see."""
    batch, length, _ = query.shape
    split = lambda x: x.reshape(batch, length, HEADS, SIZE).transpose(0, 2, 1, 3)
    scores = split(query) @ split(key).transpose(0, 1, 3, 2) / np.sqrt(SIZE)
    scores = xp.where(seen, scores, -1e9)
    scores = xp.exp(scores - scores.max(-1, keepdims=True))
    mixed = scores / scores.sum(-1, keepdims=True) @ split(value)
    return mixed.transpose(0, 2, 1, 3).reshape(batch, length, HIDDEN)


def decode(xp, weights, layers, tokens, positions, seen):
    """GPT-2: logits [batch, sequence, vocabulary]."""
    x = weights["wte.weight"][tokens] + weights["wpe.weight"][positions]
    for layer in range(layers):
        name = f"h.{layer}"
        query, key, value = xp.split(
            linear(weights, normal(xp, weights, x, f"{name}.ln_1"), f"{name}.attn.c_attn"), 3, -1
        )
        x = x + linear(weights, attention(xp, query, key, value, seen), f"{name}.attn.c_proj")
        inner = gelu(xp, linear(weights, normal(xp, weights, x, f"{name}.ln_2"), f"{name}.mlp.c_fc"))
        x = x + linear(weights, inner, f"{name}.mlp.c_proj")
    return normal(xp, weights, x, "ln_f") @ weights["wte.weight"].T


def encode(xp, weights, layers, tokens, kinds, mask):
    """BERT: the last hidden state [batch, sequence, hidden]."""
    x = weights["embeddings.word.weight"][tokens] + weights["embeddings.kind.weight"][kinds]
    x = x + weights["embeddings.position.weight"][: tokens.shape[1]]
    x = normal(xp, weights, x, "embeddings.norm")
    seen = mask[:, None, None, :] > 0
    for layer in range(layers):
        name = f"layer.{layer}"
        parts = [linear(weights, x, f"{name}.{part}") for part in ("query", "key", "value")]
        mixed = linear(weights, attention(xp, *parts, seen), f"{name}.output")
        x = normal(xp, weights, x + mixed, f"{name}.norm_1")
        inner = linear(weights, gelu(xp, linear(weights, x, f"{name}.wide")), f"{name}.narrow")
        x = normal(xp, weights, x + inner, f"{name}.norm_2")
    return x


def mean(xp, hidden, mask):
    """The average of the tokens that are not padding."""
    weight = mask[:, :, None].astype(hidden.dtype)
    return (hidden * weight).sum(1) / weight.sum(1)


def unit(xp, vectors):
    return vectors / xp.sqrt((vectors * vectors).sum(-1, keepdims=True) + 1e-12)
