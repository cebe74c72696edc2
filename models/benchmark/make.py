"""Writes matmul.onnx beside this file: sixteen products of a square matrix with itself.

    "$ASSAY_PYTHON" models/benchmark/make.py      (set up as for models/digits/train.py)

The matrix comes in and one number goes out, so that what is measured is arithmetic, not transport: an n x n run is
32 n^3 floating-point operations. On the matrix whose entries are all 1/n every product is the matrix itself, so the
answer is 1/n.
"""

import pathlib

import onnx
from onnx import TensorProto, helper

PRODUCTS = 16

names = ["a"] + [f"p{position}" for position in range(PRODUCTS)]
nodes = [
    helper.make_node("MatMul", [before, "a"], [after]) for before, after in zip(names, names[1:])
]
nodes.append(helper.make_node("ReduceMean", [names[-1]], ["mean"], keepdims=0))
graph = helper.make_graph(
    nodes,
    "matmul",
    [helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n", "n"])],
    [helper.make_tensor_value_info("mean", TensorProto.FLOAT, [])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="assay")
model.ir_version = 8
onnx.checker.check_model(model)
(pathlib.Path(__file__).parent / "matmul.onnx").write_bytes(model.SerializeToString(deterministic=True))
