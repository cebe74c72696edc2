"""What the models learn: groups of questions that mean the same, each with its answer."""

import pathlib

HERE = pathlib.Path(__file__).parent


def groups():
    """Pairs of the ways to ask and the answer."""
    found = []
    for line in (HERE / "questions.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            asked, answer = line.split(" -> ")
            found.append((asked.split(" | "), answer.replace("\\n", "\n")))
    for a in range(11):
        for b in range(11):
            found.append(([f"What is {a} + {b}?", f"{a} + {b}", f"Add {a} and {b}."], f"{a} + {b} = {a + b}"))
            found.append(([f"What is {a} * {b}?", f"{a} * {b}", f"Multiply {a} by {b}."], f"{a} * {b} = {a * b}"))
            if b <= a:
                found.append(([f"What is {a} - {b}?", f"{a} - {b}", f"Take {b} from {a}."], f"{a} - {b} = {a - b}"))
    return found


def spoken():
    """The groups without sums, which an average of tokens cannot tell apart."""
    return [(asked, answer) for asked, answer in groups() if "=" not in answer]
