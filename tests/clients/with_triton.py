"""Through tritonclient.http."""

import json
import struct
import urllib.parse

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException


class Client:
    """The stock client, with the key in every request where there is one."""

    def __init__(self, options):
        address = urllib.parse.urlsplit(options.url)
        self.stock = triton.InferenceServerClient(address.netloc, ssl=address.scheme == "https")
        self.headers = {"Authorization": f"Bearer {options.key}"} if options.key else None

    def __getattr__(self, name):
        method = getattr(self.stock, name)
        return lambda *args, **more: method(*args, headers=dict(self.headers) if self.headers else None, **more)


def client(options):
    return Client(options)


def image(options, digit):
    """The tensor of a safetensors file with one tensor."""
    data = (options.models / f"digits/sample-{digit}.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    entry = header["image"]
    begin, end = entry["data_offsets"]
    return np.frombuffer(data[8 + length + begin : 8 + length + end], np.float32).reshape(entry["shape"])


def infer(server, options, digit, binary=True, outputs=None, **more):
    pixels = image(options, digit)
    tensor = triton.InferInput("image", list(pixels.shape), "FP32")
    tensor.set_data_from_numpy(pixels, binary_data=binary)
    return server.infer(options.digits, [tensor], outputs=outputs, **more)


def refused(call, status, text):
    try:
        call()
    except InferenceServerException as error:
        assert str(error.status()) == str(status), error
        assert text in error.message(), error
        return
    raise AssertionError("it was not refused")


def health(server, options):
    """the server and the model are ready, an unknown model is not"""
    assert server.is_server_live()
    assert server.is_server_ready()
    assert server.is_model_ready(options.digits)
    assert server.is_model_ready(options.digits, "1")
    assert not server.is_model_ready("no-such-model")
    assert not server.is_model_ready(options.digits, "2")


def metadata(server, options):
    """metadata tell names, types and shapes"""
    assert server.get_server_metadata()["name"] == "assay"
    found = server.get_model_metadata(options.digits)
    assert found["versions"] == ["1"]
    inputs = {one["name"]: (one["datatype"], one["shape"]) for one in found["inputs"]}
    assert inputs["image"][0] == "FP32" and len(inputs["image"][1]) == image(options, 0).ndim, inputs
    outputs = {one["name"]: one["datatype"] for one in found["outputs"]}
    assert outputs == {"probabilities": "FP32", "label": "INT64"}, outputs
    config = server.get_model_config(options.digits)
    assert [one["data_type"] for one in config["output"]] == ["TYPE_FP32", "TYPE_INT64"]


def index(server, options):
    """the list of models has them"""
    names = {one["name"]: one["state"] for one in server.get_model_repository_index()}
    assert names.get(options.chat) == "READY" and names.get(options.embed) == "READY", names


def binary(server, options):
    """digits are read, tensors as bytes"""
    for digit in range(6):
        answer = infer(server, options, digit, request_id=f"request-{digit}")
        assert answer.as_numpy("label").tolist() == [digit]
        probabilities = answer.as_numpy("probabilities")
        assert probabilities.shape == (1, 10) and abs(probabilities.sum() - 1) < 1e-5
        assert answer.get_response()["id"] == f"request-{digit}"


def as_json(server, options):
    """digits are read, tensors as JSON, and the numbers are the same"""
    wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in ("probabilities", "label")]
    for digit in range(6):
        answer = infer(server, options, digit, binary=False, outputs=wanted)
        assert answer.as_numpy("label").tolist() == [digit]
        same = infer(server, options, digit).as_numpy("probabilities")
        assert np.array_equal(answer.as_numpy("probabilities"), same)


def chosen(server, options):
    """only the outputs that are asked for come, each in its own form"""
    one = [triton.InferRequestedOutput("label", binary_data=True)]
    answer = infer(server, options, 4, outputs=one)
    assert answer.as_numpy("probabilities") is None and answer.as_numpy("label").tolist() == [4]
    mixed = [triton.InferRequestedOutput("label", binary_data=False), triton.InferRequestedOutput("probabilities")]
    answer = infer(server, options, 4, outputs=mixed)
    assert answer.as_numpy("label").tolist() == [4] and answer.as_numpy("probabilities").argmax() == 4


def packed(server, options):
    """requests and answers may be packed with gzip and deflate"""
    for way in ("gzip", "deflate"):
        more = {"request_compression_algorithm": way, "response_compression_algorithm": way}
        assert infer(server, options, 5, **more).as_numpy("label").tolist() == [5]
        assert infer(server, options, 5, binary=False, **more).as_numpy("label").tolist() == [5]


def at_once(server, options):
    """several requests can be under way at once"""
    pixels = image(options, 2)
    tensor = triton.InferInput("image", list(pixels.shape), "FP32")
    tensor.set_data_from_numpy(pixels)
    under_way = [server.async_infer(options.digits, [tensor]) for _ in range(4)]
    assert [one.get_result().as_numpy("label").tolist() for one in under_way] == [[2]] * 4


def wrong(server, options):
    """what does not fit is refused in Triton's shape"""
    pixels = image(options, 0)

    def send(name="image", shape=None, datatype="FP32", data=pixels, model=options.digits):
        tensor = triton.InferInput(name, list(shape or data.shape), datatype)
        tensor.set_data_from_numpy(data)
        server.infer(model, [tensor])

    refused(lambda: send(model="no-such-model"), 404, "no-such-model")
    refused(lambda: send(name="picture"), 400, "there is no input")
    refused(lambda: send(datatype="INT64", data=pixels.astype(np.int64)), 400, "INT64")
    flat = pixels.reshape(-1)
    refused(lambda: send(data=flat), 400, "shape")
    text = np.array([b"text"], dtype=np.object_)
    refused(lambda: send(datatype="BYTES", data=text), 400, "BYTES")
    refused(lambda: server.get_inference_statistics(options.digits), 404, "stats")
    refused(lambda: server.load_model(options.digits), 404, "loaded by their providers")
    shared = [triton.InferRequestedOutput("label", class_count=1)]
    refused(lambda: infer(server, options, 0, outputs=shared), 400, "classification")


def states(server, options):
    """a text model takes its tokens as tensors too"""
    text = options.texts[0]
    ids = np.array([text["ids"]], np.int64)
    tensors = []
    for name, values in [("input_ids", ids), ("attention_mask", np.ones_like(ids)), ("token_type_ids", ids * 0)]:
        tensor = triton.InferInput(name, list(values.shape), "INT64")
        tensor.set_data_from_numpy(values)
        tensors.append(tensor)
    found = server.infer(options.embed, tensors).as_numpy("last_hidden_state")
    assert np.allclose(found[0].mean(axis=0), text["mean"], atol=1e-4)


CHECKS = [health, metadata, index, binary, as_json, chosen, packed, at_once, wrong, states]
