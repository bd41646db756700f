"""A bench on a page of its own, with Python behind it but no notebook: for tests and for the benchmark."""

import base64
import json

from vtexplore.errors import VtexploreError
from vtexplore.widgets._sent import Binary
from vtexplore.widgets.bench import Bench

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

HARNESS = """<!doctype html><meta charset="utf-8"><style>%s</style><body><div class="vtx" id="root"></div>
<script type="module">%s
const { scene, numbers } = JSON.parse(await window.python(JSON.stringify({ ask: "scene" })));
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
const ask = async (what) => {
  const { error, answer, numbers } = JSON.parse(await window.python(JSON.stringify({ ...what, part: 0, number: 1 })));
  if (error) throw new Error(error);
  return { answer, buffers: numbers ? [bytes(numbers)] : [] };
};
bench(document.getElementById("root"), scene, bytes(numbers), ask, (chosen) => (window.chosen = chosen));
window.ready = true;
</script>"""


class Python:
    """The other end of the page: what the widget does with messages, without a notebook."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def __call__(self, message: str) -> str:
        what = json.loads(message)
        if what["ask"] == "scene":
            return json.dumps({"scene": self.bench.scene(), "numbers": self._numbers()})
        try:
            answer = self.bench.answer(what)
        except VtexploreError as error:
            return json.dumps({"error": str(error)})
        if isinstance(answer, Bench):
            self.bench = answer
            return json.dumps({"answer": answer.scene(), "numbers": self._numbers()})
        if isinstance(answer, Binary):
            return json.dumps({"answer": answer.said, "numbers": base64.b64encode(answer.numbers).decode()})
        return json.dumps({"answer": answer})

    def _numbers(self) -> str:
        return base64.b64encode(self.bench.numbers()).decode()
