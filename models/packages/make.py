"""Trains and writes the packages of this folder, and checks them in ONNX Runtime.

    python3 -m venv /tmp/packages && /tmp/packages/bin/pip install -r models/packages/requirements.txt
    /tmp/packages/bin/python models/packages/make.py [FOLDER]

Writes beside itself unless told otherwise. The same packages give the same files, byte for byte; it needs an x86-64
with AVX2, and uses nothing newer. Takes about five minutes on one core.
"""

import os
import pathlib
import sys

# Before the imports that read them.
os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.dont_write_bytecode = True

import check
import decoder
import encoder
import rows

folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
folder.mkdir(parents=True, exist_ok=True)
rows.make(folder)
encoder.make(folder)
decoder.make(folder)
check.packages(folder)
