"""What a person writes who asks a gateway: the published openai client and nothing of ours.

    python tests/clients/demo.py http://127.0.0.1:8952/v1
"""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none")
question = {"role": "user", "content": "What is the capital of France?"}
answer = client.chat.completions.create(
    model="tiny-chat-cached",
    messages=[question],
    temperature=0,
    stream=True,
)
for piece in answer:
    print(piece.choices[0].delta.content or "", end="", flush=True)
print()
words = client.embeddings.create(model="tiny-embed", input="Hello")
print(*(f"{number:.3f}" for number in words.data[0].embedding))
