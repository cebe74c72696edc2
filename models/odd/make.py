"""Writes the deliberately odd models beside this file; see the README that it also writes.

    "$ASSAY_PYTHON" models/odd/make.py      (set up as for models/digits/train.py)
"""

import pathlib

import onnx
from onnx import TensorProto, helper

HERE = pathlib.Path(__file__).parent
F32, I64, BOOL, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING
DESCRIPTIONS = {}


def value(name, dtype, shape):
    return helper.make_tensor_value_info(name, dtype, shape)


def save(name, why, nodes, inputs, outputs, weights=(), domains=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(weights))
    opsets = [helper.make_opsetid("", 17)] + [helper.make_opsetid(d, 1) for d in domains]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="assay")
    model.ir_version = 8
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    DESCRIPTIONS[name] = why


def raw(name, why, content):
    (HERE / f"{name}.onnx").write_bytes(content)
    DESCRIPTIONS[name] = why


def fails_at_run_time():
    save(
        "gather_index",
        "`values` f32[4], `index` i64[1]: an index outside -4..3 fails at run time",
        [helper.make_node("Gather", ["values", "index"], ["picked"])],
        [value("values", F32, [4]), value("index", I64, [1])],
        [value("picked", F32, [1])],
    )
    save(
        "reshape_data",
        "`values` f32[n], `shape` i64[2]: fails unless the shape holds n values",
        [helper.make_node("Reshape", ["values", "shape"], ["reshaped"])],
        [value("values", F32, ["n"]), value("shape", I64, [2])],
        [value("reshaped", F32, ["rows", "columns"])],
    )


def special_values():
    save(
        "specials",
        "`x` f32[n]: outputs log(x), 1/x, 0*x: NaN, infinities and negative zero from plain input",
        [
            helper.make_node("Log", ["x"], ["log"]),
            helper.make_node("Reciprocal", ["x"], ["reciprocal"]),
            helper.make_node("Mul", ["x", "zero"], ["nothing"]),
        ],
        [value("x", F32, ["n"])],
        [value(name, F32, ["n"]) for name in ("log", "reciprocal", "nothing")],
        [helper.make_tensor("zero", F32, [], [0.0])],
    )
    save(
        "shared_dimension",
        "`left` f32[n,3] + `right` f32[n,3]: both must have the same n",
        [helper.make_node("Add", ["left", "right"], ["sum"])],
        [value("left", F32, ["n", 3]), value("right", F32, ["n", 3])],
        [value("sum", F32, ["n", 3])],
    )


def burns_resources():
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["still"]),
            helper.make_node("Add", ["total", "one"], ["next"]),
        ],
        "body",
        [value("turn", I64, []), value("going", BOOL, []), value("total", F32, [])],
        [value("still", BOOL, []), value("next", F32, [])],
        [helper.make_tensor("one", F32, [], [1.0])],
    )
    save(
        "loop",
        "`turns` i64[]: counts to `turns` one by one, so a large number runs for years",
        [helper.make_node("Loop", ["turns", "yes", "start"], ["count"], body=body)],
        [value("turns", I64, [])],
        [value("count", F32, [])],
        [helper.make_tensor("yes", BOOL, [], [True]), helper.make_tensor("start", F32, [], [0.0])],
    )
    save(
        "fill",
        "`shape` i64[1]: makes that many zeros, so a large number asks for more memory than exists",
        [helper.make_node("ConstantOfShape", ["shape"], ["zeros"])],
        [value("shape", I64, [1])],
        [value("zeros", F32, ["n"])],
    )


def unsupported_types():
    save(
        "strings",
        "takes and returns strings, which have no canonical bytes",
        [helper.make_node("Identity", ["text"], ["same"])],
        [value("text", STRING, [1])],
        [value("same", STRING, [1])],
    )
    save(
        "sequence",
        "returns a sequence of tensors",
        [helper.make_node("SequenceConstruct", ["x", "x"], ["pair"])],
        [value("x", F32, [2])],
        [helper.make_tensor_sequence_value_info("pair", F32, [2])],
    )
    save(
        "custom_operator",
        "uses an operator of a domain nobody has",
        [helper.make_node("Mystery", ["x"], ["y"], domain="example.assay")],
        [value("x", F32, [2])],
        [value("y", F32, [2])],
        domains=["example.assay"],
    )


def external(name):
    tensor = TensorProto(name=name, data_type=F32, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, text in (("location", "../../../../etc/hostname"), ("offset", "0"), ("length", "8")):
        tensor.external_data.add(key=key, value=text)
    return tensor


def refers_to_files():
    why = "weights in another file, named by a path that climbs out of its folder"
    ports = [value("x", F32, [2])], [value("y", F32, [2])]
    add = helper.make_node("Add", ["x", "w"], ["y"])
    save("external_data", why, [add], *ports, weights=[external("w")])
    constant = helper.make_node("Constant", [], ["w"])
    constant.attribute.append(
        onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=external("w"))
    )
    save("external_attribute", "the same, hidden in a node's attribute", [constant, add], *ports)


def broken_files():
    digits = (HERE.parent / "digits.onnx").read_bytes()
    raw("truncated", "the first half of digits.onnx", digits[: len(digits) // 2])
    raw("not_onnx", "a sentence, not a model", b"This is not an ONNX model.\n")
    raw("empty", "no bytes at all", b"")


def main():
    fails_at_run_time()
    special_values()
    burns_resources()
    unsupported_types()
    refers_to_files()
    broken_files()
    rows = "\n".join(f"| `{name}.onnx` | {why} |" for name, why in DESCRIPTIONS.items())
    text = f"# Odd models\n\nFor tests; written by `make.py`.\n\n| file | what is odd |\n|---|---|\n{rows}\n"
    (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    main()
