"""Builds ONNX graphs node by node."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


class Graph:
    def __init__(self, weights):
        self.nodes, self.constants = [], []
        for name, array in weights.items():
            self.constants.append(numpy_helper.from_array(array, name))

    def constant(self, value, dtype=np.float32):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def ints(self, *values):
        return self.constant(values, np.int64)

    def add(self, operator, *inputs, output=None, outputs=1, **attributes):
        first = output or f"{operator.lower()}_{len(self.nodes)}"
        names = [first] + [f"{first}_{number}" for number in range(1, outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def linear(self, x, name):
        return self.add("Add", self.add("MatMul", x, f"{name}.weight"), f"{name}.bias")

    def normal(self, x, name):
        return self.add("LayerNormalization", x, f"{name}.weight", f"{name}.bias", axis=-1, epsilon=1e-5)

    def gelu(self, x):
        """The approximation by Tanh, as in GPT-2 and the function of that name in network.py."""
        cube = self.add("Mul", self.add("Mul", x, x), x)
        inner = self.add("Add", x, self.add("Mul", cube, self.constant(0.044715)))
        bent = self.add("Tanh", self.add("Mul", inner, self.constant(np.sqrt(2 / np.pi))))
        return self.add("Mul", self.add("Mul", x, self.constant(0.5)), self.add("Add", bent, self.constant(1.0)))

    def heads(self, x, count, size):
        """[batch, sequence, heads * size] to [batch, heads, sequence, size]."""
        split = self.add("Reshape", x, self.ints(0, 0, count, size))
        return self.add("Transpose", split, perm=[0, 2, 1, 3])

    def attend(self, query, key, value, seen, size):
        """Scores of the keys that `seen` (true or false) allows; what is not seen weighs nothing."""
        turned = self.add("Transpose", key, perm=[0, 1, 3, 2])
        scores = self.add("MatMul", query, turned)
        scores = self.add("Mul", scores, self.constant(1 / np.sqrt(size)))
        scores = self.add("Where", seen, scores, self.constant(-1e9))
        mixed = self.add("MatMul", self.add("Softmax", scores, axis=-1), value)
        joined = self.add("Transpose", mixed, perm=[0, 2, 1, 3])
        return self.add("Reshape", joined, self.ints(0, 0, -1))

    def save(self, path, name, inputs, outputs):
        """Ports are triples of name, type and dimensions."""
        ports = [[helper.make_tensor_value_info(*port) for port in side] for side in (inputs, outputs)]
        graph = helper.make_graph(self.nodes, name, *ports, self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="assay"
        )
        model.ir_version = 8
        onnx.checker.check_model(model, full_check=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
