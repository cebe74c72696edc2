"""Trains models/digits.onnx and writes the held-out samples beside this file.

    scripts/bootstrap.sh python && eval "$(scripts/bootstrap.sh --print-env)"
    "$ASSAY_PYTHON" models/digits/train.py

The data is scikit-learn's bundled copy of the UCI handwritten digits: 1,797 real images of 8x8
pixels. Each becomes an ordinary picture first (dark ink on white paper, 0 to 255), because that is
what a requester has; the network then sees exactly the numbers that the model's own metadata
says to make of such a picture, bit for bit, whether they come from the .png, .npy or .safetensors.
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from safetensors.numpy import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = pathlib.Path(__file__).parent
SEED = 2026
SAMPLES = 6
IMAGE = {
    "input": "image",
    "width": 8,
    "height": 8,
    "channels": "gray",
    "layout": "NCHW",
    "invert": True,
    "scale": 1 / 255,
    "offset": 0.0,
}
LABELS = {"output": "probabilities", "labels": [str(digit) for digit in range(10)]}


def pictures(images):
    """Ink strengths of 0 to 16 as dark ink on white paper."""
    return (255 - np.rint(images * (255 / 16))).astype(np.uint8)


def tensor(pixels):
    """What the metadata of IMAGE says: invert, then scale in f64, then round to f32."""
    values = (255 - pixels.astype(np.float64)) * IMAGE["scale"] + IMAGE["offset"]
    return values.astype(np.float32)[:, np.newaxis, :, :]


def export(network):
    """Flatten, two Gemm + Relu, Gemm, Softmax; and the most probable class."""
    weights, nodes = [], [helper.make_node("Flatten", ["image"], ["x0"], axis=1)]
    for layer, (coefs, bias) in enumerate(zip(network.coefs_, network.intercepts_)):
        last = layer == len(network.coefs_) - 1
        weights.append(numpy_helper.from_array(coefs.astype(np.float32), f"w{layer}"))
        weights.append(numpy_helper.from_array(bias.astype(np.float32), f"b{layer}"))
        out = "logits" if last else f"g{layer}"
        nodes.append(helper.make_node("Gemm", [f"x{layer}", f"w{layer}", f"b{layer}"], [out]))
        if not last:
            nodes.append(helper.make_node("Relu", [out], [f"x{layer + 1}"]))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    nodes.append(helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
        ],
        weights,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="assay"
    )
    model.ir_version = 8
    helper.set_model_props(
        model,
        {
            "assay.input.image": json.dumps(IMAGE),
            "assay.output.labels": json.dumps(LABELS),
            "assay.description": "Handwritten digits of 8x8 pixels (UCI, via scikit-learn)",
        },
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_samples(pixels, labels):
    """The first held-out image of each of SAMPLES digits, in three formats."""
    rows = []
    for digit in range(SAMPLES):
        index = int(np.flatnonzero(labels == digit)[0])
        picture, name = pixels[index], f"sample-{digit}"
        array = tensor(picture[np.newaxis])
        Image.fromarray(picture, mode=None).save(HERE / f"{name}.png", optimize=True)
        save_file({"image": array}, HERE / f"{name}.safetensors")
        if digit == 0:
            np.save(HERE / f"{name}.npy", array)
        rows.append(f"| `{name}` | {digit} | {index} |")
    return rows


README = """# Held-out handwritten digits

Written by `train.py`; none of these images was used in training. Each is a `.safetensors` (tensor
`image`, f32, 1x1x8x8), the same picture as an 8x8 `.png`, and the first also as `.npy`.

| file | true digit | index in the held-out part |
|---|---|---|
{rows}

Source: E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
Repository (CC BY 4.0), as bundled with scikit-learn.
"""


def main():
    digits = load_digits()
    pixels = pictures(digits.images)
    train, held, train_labels, held_labels = train_test_split(
        pixels, digits.target, test_size=0.25, random_state=SEED, stratify=digits.target
    )
    network = MLPClassifier(
        hidden_layer_sizes=(64, 32), alpha=0.1, max_iter=400, random_state=SEED
    )
    network.fit(tensor(train).reshape(len(train), -1), train_labels)
    right = network.predict(tensor(held).reshape(len(held), -1)) == held_labels
    onnx.save(export(network), HERE.parent / "digits.onnx")
    rows = write_samples(held, held_labels)
    (HERE / "README.md").write_text(README.format(rows="\n".join(rows)))
    print(f"trained on {len(train)}, held out {len(held)}, right {right.sum()}: {right.mean():.4f}")


if __name__ == "__main__":
    main()
