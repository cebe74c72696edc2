"""Runs the written packages in ONNX Runtime, alone and in batches, and compares with reference.json."""

import json

import numpy as np
import onnxruntime

CLOSE = 1e-4


def opened(folder):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, ["CPUExecutionProvider"])
    return session, json.loads((folder / "reference.json").read_text(encoding="utf-8"))


def padded(sequences):
    """On the left, so that what comes next is at the end of each row."""
    longest = max(map(len, sequences))
    ids = np.zeros((len(sequences), longest), np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, longest - len(sequence) :] = sequence
        mask[row, longest - len(sequence) :] = 1
    return ids, mask


def plain(session, prompts, stops):
    """Greedy answers; all that is known so far goes in at each step."""
    known, open_rows = [list(prompt) for prompt in prompts], set(range(len(prompts)))
    while open_rows:
        ids, mask = padded(known)
        (logits,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
        for row in sorted(open_rows):
            known[row].append(int(logits[row, -1].argmax()))
            if known[row][-1] in stops:
                open_rows.remove(row)
    return [row[len(prompt) :] for row, prompt in zip(known, prompts, strict=True)]


def cached(session, prompts, stops):
    """Greedy answers; after the prompt, one token a row and step, beside what the network kept."""
    ids, mask = padded(prompts)
    positions = np.maximum(mask.cumsum(1) - 1, 0)
    pasts = [port for port in session.get_inputs() if port.name.startswith("past_key_values.")]
    kept = {port.name: np.zeros((len(ids), port.shape[1], 0, port.shape[3]), np.float32) for port in pasts}
    answers = [[] for _ in prompts]
    ended = lambda answer: bool(answer) and answer[-1] in stops
    while not all(map(ended, answers)):
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": positions} | kept
        names = [port.name for port in session.get_outputs()]
        found = dict(zip(names, session.run(names, given), strict=True))
        kept = {name: found[name.replace("past_key_values", "present")] for name in kept}
        ids = found["logits"][:, -1].argmax(-1)[:, None]
        for answer, token in zip(answers, ids[:, 0], strict=True):
            if not ended(answer):
                answer.append(int(token))
        mask = np.concatenate([mask, np.ones((len(ids), 1), np.int64)], 1)
        positions = positions[:, -1:] + 1
    return answers


def chat(folder, answers):
    session, reference = opened(folder)
    cases = reference["chats"] + reference["completions"]
    config = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    prompts = [case["prompt_ids"] for case in cases]
    expected = [case["answer_ids"] for case in cases]
    stops = config["eos_token_id"]
    alone = [answers(session, [prompt], stops)[0] for prompt in prompts]
    assert alone == expected, f"{folder.name}: alone, ONNX Runtime answers otherwise than the reference"
    assert answers(session, prompts, stops) == expected, f"{folder.name}: a batch is answered otherwise"
    print(f"{folder.name}: {len(cases)} answers, alone and in one batch, are the reference's")


def embed(folder):
    session, reference = opened(folder)
    cases = reference["texts"]
    worst = 0.0
    for together in [[case] for case in cases] + [cases]:
        longest = max(len(case["ids"]) for case in together)
        ids = np.array([case["ids"] + [0] * (longest - len(case["ids"])) for case in together], np.int64)
        mask = np.array([[1] * len(case["ids"]) + [0] * (longest - len(case["ids"])) for case in together], np.int64)
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden,) = session.run(None, given)
        mean = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        worst = max(worst, np.abs(mean - np.array([case["mean"] for case in together])).max())
    assert worst < CLOSE, f"{folder.name}: ONNX Runtime's vectors are {worst} from the reference's"
    print(f"{folder.name}: {len(cases)} vectors, alone and in one batch, are within {worst:.1e} of the reference's")


def packages(folder):
    chat(folder / "tiny-chat", plain)
    chat(folder / "tiny-chat-cached", cached)
    embed(folder / "tiny-embed")
