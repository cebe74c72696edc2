"""What the bench compares the engine with: a model behind Starlette and uvicorn, as Python serves one.

    MODEL=chain.onnx SESSION=one uvicorn server:app

A request is the input's bytes, its response the output's. `/direct` runs the model on the event loop, `/pooled` on
Starlette's threads, as a handler that is no coroutine would. SESSION says what the session may use: `one` thread, as an
engine has, or ONNX Runtime's `default`, all cores.
"""

import os

import numpy
import onnxruntime
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

options = onnxruntime.SessionOptions()
if os.environ["SESSION"] == "one":
    options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
port = session.get_inputs()[0]
# As many rows as the bytes are, where the model takes any number.
shape = [size if isinstance(size, int) else -1 for size in port.shape]


def infer(body):
    tensor = numpy.frombuffer(body, dtype=numpy.float32).reshape(shape)
    return session.run(None, {port.name: tensor})[0].tobytes()


async def direct(request):
    return Response(infer(await request.body()), media_type="application/octet-stream")


async def pooled(request):
    answer = await run_in_threadpool(infer, await request.body())
    return Response(answer, media_type="application/octet-stream")


app = Starlette(routes=[Route("/direct", direct, methods=["POST"]), Route("/pooled", pooled, methods=["POST"])])
