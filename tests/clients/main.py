"""Asks a gateway through the stock clients of Triton, OpenAI and Ollama.

    python tests/clients/main.py [options] URL

Prints a line for each check and their sum; exit code 1 if one failed. The models that are asked are those of
models/packages and models/digits.onnx, unless the options name others of their kind.
"""

import argparse
import json
import pathlib
import sys
import time
import traceback

import with_ollama
import with_openai
import with_triton

MODELS = pathlib.Path(__file__).resolve().parents[2] / "models"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="where the gateway is, as http://127.0.0.1:8952")
    parser.add_argument("--key", help="its key, if it wants one")
    parser.add_argument("--chat", default="tiny-chat", help="name of the chat package")
    parser.add_argument("--embed", default="tiny-embed", help="name of the embedding package")
    parser.add_argument("--digits", default="digits", help="what digits.onnx is called")
    parser.add_argument("--packages", type=pathlib.Path, default=MODELS / "packages", help="folder of the references")
    parser.add_argument("--only", choices=["triton", "openai", "ollama"], action="append", help="only these clients")
    options = parser.parse_args()
    options.url = options.url.rstrip("/")
    options.models = MODELS
    options.chats = reference(options, "tiny-chat")["chats"]
    options.texts = reference(options, "tiny-embed")["texts"]
    passed = failed = 0
    for name, module in [("triton", with_triton), ("openai", with_openai), ("ollama", with_ollama)]:
        if options.only and name not in options.only:
            continue
        client = module.client(options)
        for check in module.CHECKS:
            began = time.monotonic()
            try:
                check(client, options)
            except Exception:  # noqa: BLE001: whatever a client raises is a failed check
                failed += 1
                print(f"FAIL {name}: {check.__doc__}")
                traceback.print_exc()
            else:
                passed += 1
                print(f"PASS {name}: {check.__doc__} ({(time.monotonic() - began) * 1e3:.0f} ms)")
    print(f"\n{'FAIL' if failed else 'PASS'}: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def reference(options: argparse.Namespace, name: str) -> dict:
    return json.loads((options.packages / name / "reference.json").read_text())


if __name__ == "__main__":
    sys.exit(main())
