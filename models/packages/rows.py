"""rows.onnx: a network of linear layers that takes rows of numbers, as those for tables do."""

import numpy as np

from graph import FLOAT, Graph

INTO, WIDE, OUT = 256, 512, 10
# Its inner layers share one matrix: the work of twenty layers in a file of the size of two.
LAYERS = 20


def make(folder):
    random = np.random.default_rng(3)
    draw = lambda rows, columns: (random.standard_normal((rows, columns)) * np.sqrt(2 / rows)).astype(np.float32)
    graph = Graph({"first": draw(INTO, WIDE), "inner": draw(WIDE, WIDE), "last": draw(WIDE, OUT)})
    x = graph.add("Relu", graph.add("MatMul", "row", "first"))
    for _ in range(LAYERS):
        x = graph.add("Relu", graph.add("MatMul", x, "inner"))
    graph.add("MatMul", x, "last", output="scores")
    inputs, outputs = [("row", FLOAT, ["batch", INTO])], [("scores", FLOAT, ["batch", OUT])]
    graph.save(folder / "rows.onnx", "rows", inputs, outputs)
