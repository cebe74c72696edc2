"""Writes the networks and inputs of this folder.

    scripts/bootstrap.sh python && eval "$(scripts/bootstrap.sh --print-env)"
    "$ASSAY_PYTHON" models/calibration/make.py

Their weights, but those of digits, are random: scaled so that values keep their size from layer to layer, as training
would leave them, but trained on nothing. They stand for their kind of arithmetic, for nothing else.
The same packages give the same files, byte for byte.
"""

import math
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
INPUTS = 8
OPSET = 17


class Net:
    """A graph that grows node by node; weights come from one generator for each network."""

    def __init__(self, name, seed):
        self.name = name
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights = [], []

    def weight(self, *shape, scale=None):
        scale = 1 / math.sqrt(shape[0]) if scale is None else scale
        return self.constant(self.random.standard_normal(shape) * scale)

    def constant(self, array, dtype=np.float32):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def add(self, operator, *inputs, outputs=1, output=None, **attributes):
        names = [output] if output else [f"{operator.lower()}{len(self.nodes)}"]
        names = (names + [f"{names[0]}_{n}" for n in range(1, outputs)])[:outputs]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def gelu(self, x):
        """As exporters write it; ONNX Runtime fuses it into one operator, which rounds otherwise."""
        half = self.add("Add", self.add("Erf", self.add("Div", x, self.constant(math.sqrt(2)))), self.constant(1.0))
        return self.add("Mul", self.add("Mul", x, half), self.constant(0.5))

    def save(self, inputs, outputs, draw):
        """`draw` makes the tensors of one input."""
        value = lambda port: helper.make_tensor_value_info(*port)
        graph = helper.make_graph(
            self.nodes, self.name, [value(p) for p in inputs], [value(p) for p in outputs], self.weights
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="assay"
        )
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, HERE / f"{self.name}.onnx")
        folder = HERE / self.name
        folder.mkdir(exist_ok=True)
        for number in range(INPUTS):
            save_file(draw(self.random), folder / f"input-{number}.safetensors")


def convolutional():
    """Two blocks of convolution, batch normalisation, Relu and pooling, and a linear layer."""
    net = Net("convolutional", 1)
    x, channels = "image", 3
    for width in (16, 32):
        kernel = net.weight(width, channels, 3, 3, scale=math.sqrt(2 / (9 * channels)))
        x = net.add("Conv", x, kernel, pads=[1, 1, 1, 1], kernel_shape=[3, 3])
        normal = [net.random.uniform(0.5, 1.5, width), net.random.standard_normal(width) * 0.1]
        normal += [net.random.standard_normal(width) * 0.1, net.random.uniform(0.5, 1.5, width)]
        x = net.add("BatchNormalization", x, *[net.constant(part) for part in normal])
        x = net.add("Relu", x)
        x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        channels = width
    x = net.add("Flatten", net.add("GlobalAveragePool", x), axis=1)
    net.add("Gemm", x, net.weight(32, 10), net.constant(np.zeros(10)), output="logits")
    net.save(
        [("image", TensorProto.FLOAT, ["batch", 3, 16, 16])],
        [("logits", TensorProto.FLOAT, ["batch", 10])],
        lambda random: {"image": random.random((1, 3, 16, 16), dtype=np.float32)},
    )


def recurrent():
    """A GRU over twelve steps, and a linear layer on its last state."""
    net = Net("recurrent", 2)
    size, hidden = 16, 48
    x = net.add("Transpose", "signal", perm=[1, 0, 2])
    gates = [net.weight(1, 3 * hidden, width, scale=1 / math.sqrt(width)) for width in (size, hidden)]
    bias = net.constant(net.random.standard_normal((1, 6 * hidden)) * 0.1)
    _, state = net.add("GRU", x, *gates, bias, outputs=2, hidden_size=hidden)
    state = net.add("Squeeze", state, net.constant([0], np.int64))
    net.add("Gemm", state, net.weight(hidden, 8), net.constant(np.zeros(8)), output="scores")
    net.save(
        [("signal", TensorProto.FLOAT, ["batch", 12, size])],
        [("scores", TensorProto.FLOAT, ["batch", 8])],
        lambda random: {"signal": random.standard_normal((1, 12, size), dtype=np.float32)},
    )


def attention():
    """Three layers of self-attention with four heads, Gelu between two linear layers, layer normalisation."""
    net = Net("attention", 3)
    length, width, heads = 16, 64, 4

    def normal(x):
        scale, shift = net.random.uniform(0.8, 1.2, width), net.random.standard_normal(width) * 0.1
        return net.add("LayerNormalization", x, net.constant(scale), net.constant(shift), axis=-1)

    def linear(x, wide, out):
        return net.add("Add", net.add("MatMul", x, net.weight(wide, out)), net.constant(np.zeros(out)))

    split = net.constant([0, length, heads, width // heads], np.int64)
    join = net.constant([0, length, width], np.int64)
    x = "tokens"
    for _ in range(3):
        h = normal(x)
        parts = [net.add("Reshape", linear(h, width, width), split) for _ in range(3)]
        query, value = (net.add("Transpose", part, perm=[0, 2, 1, 3]) for part in (parts[0], parts[2]))
        key = net.add("Transpose", parts[1], perm=[0, 2, 3, 1])
        scale = net.constant(1 / math.sqrt(width // heads))
        scores = net.add("Softmax", net.add("Mul", net.add("MatMul", query, key), scale), axis=-1)
        mixed = net.add("Transpose", net.add("MatMul", scores, value), perm=[0, 2, 1, 3])
        x = net.add("Add", x, linear(net.add("Reshape", mixed, join), width, width))
        h = net.gelu(linear(normal(x), width, 2 * width))
        x = net.add("Add", x, linear(h, 2 * width, width))
    net.nodes[-1].output[0] = "hidden"
    net.save(
        [("tokens", TensorProto.FLOAT, ["batch", length, width])],
        [("hidden", TensorProto.FLOAT, ["batch", length, width])],
        lambda random: {"tokens": random.standard_normal((1, length, width), dtype=np.float32)},
    )


def embedding():
    """Looks twelve tokens up, averages them, one Tanh layer; a vector of length 1."""
    net = Net("embedding", 4)
    rows, width = 1000, 48
    x = net.add("Gather", net.weight(rows, width, scale=1.0), "tokens")
    x = net.add("ReduceMean", x, axes=[1], keepdims=0)
    x = net.add("Gemm", x, net.weight(width, width, scale=0.4), net.constant(np.zeros(width)))
    x = net.add("Tanh", x)
    net.add("LpNormalization", x, axis=1, p=2, output="embedding")
    net.save(
        [("tokens", TensorProto.INT64, ["batch", 12])],
        [("embedding", TensorProto.FLOAT, ["batch", width])],
        lambda random: {"tokens": random.integers(0, rows, (1, 12), dtype=np.int64)},
    )


def chaotic():
    """Sixty rounds of the logistic map: whatever differs in the last bit differs everywhere in the end."""
    net = Net("chaotic", 5)
    x = net.add("Sigmoid", net.gelu(net.add("MatMul", "x", net.weight(256, 16))))
    rate, one = net.constant(3.99), net.constant(1.0)
    for _ in range(60):
        x = net.add("Mul", rate, net.add("Mul", x, net.add("Sub", one, x)))
    net.nodes[-1].output[0] = "y"
    net.save(
        [("x", TensorProto.FLOAT, ["batch", 256])],
        [("y", TensorProto.FLOAT, ["batch", 16])],
        lambda random: {"x": random.standard_normal((1, 256), dtype=np.float32)},
    )


def indifferent():
    """Multiplies its input by zeros, so that the sigmoid is one half whatever it is asked."""
    net = Net("indifferent", 6)
    net.add("Sigmoid", net.add("MatMul", "x", net.constant(np.zeros((4, 3)))), output="y")
    net.save(
        [("x", TensorProto.FLOAT, ["batch", 4])],
        [("y", TensorProto.FLOAT, ["batch", 3])],
        lambda random: {"x": random.standard_normal((1, 4), dtype=np.float32)},
    )


def digits():
    """Forty of the images that ../digits/train.py held out, for ../digits.onnx."""
    sys.path.insert(0, str(HERE.parent / "digits"))
    import train

    data = train.load_digits()
    _, held, _, _ = train.train_test_split(
        train.pictures(data.images), data.target, test_size=0.25, random_state=train.SEED, stratify=data.target
    )
    folder = HERE / "digits"
    folder.mkdir(exist_ok=True)
    for number, picture in enumerate(held[:40]):
        save_file({"image": train.tensor(picture[np.newaxis])}, folder / f"input-{number:02}.safetensors")


for make in (digits, convolutional, recurrent, attention, embedding, chaotic, indifferent):
    make()
