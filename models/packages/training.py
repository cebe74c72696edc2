"""Draws weights and trains them with Adam. One thread and one set of CPU instructions: the same weights each time."""

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_max_isa=AVX2 --xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np

WARM_UP = 50


def draw(seed, shapes):
    """Matrices at random, biases 0, scales of normalisations 1."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in shapes.items():
        if len(shape) == 2:
            value = random.standard_normal(shape) * (0.05 if "e.weight" in name else shape[0] ** -0.5 / 2)
        else:
            value = np.ones(shape) if name.endswith(".weight") else np.zeros(shape)
        weights[name] = value.astype(np.float32)
    return weights


def train(weights, loss, batches, steps, rate):
    """`batches` makes the arrays of one step; `loss(weights, *arrays)` is what becomes small."""

    @jax.jit
    def step(weights, first, second, count, *arrays):
        value, slope = jax.value_and_grad(loss)(weights, *arrays)
        warm = jnp.minimum(1.0, count / WARM_UP)
        fade = 0.5 * (1 + jnp.cos(jnp.pi * count / (steps + 1)))
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, slope)
        second = jax.tree.map(lambda v, g: 0.99 * v + 0.01 * g * g, second, slope)

        def move(w, m, v):
            m, v = m / (1 - 0.9**count), v / (1 - 0.99**count)
            return w - rate * warm * fade * (m / (jnp.sqrt(v) + 1e-8) + 0.01 * w)

        return jax.tree.map(move, weights, first, second), first, second, value

    weights = {name: jnp.asarray(value) for name, value in weights.items()}
    first = jax.tree.map(jnp.zeros_like, weights)
    second = first
    for number in range(1, steps + 1):
        weights, first, second, value = step(weights, first, second, float(number), *batches())
        if number % 100 == 0:
            print(f"step {number} of {steps}: loss {float(value):.4f}", flush=True)
    return {name: np.asarray(value) for name, value in weights.items()}
