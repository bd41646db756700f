"""Widgets as one file: works from disk without network or Python, in all that needs no model."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from vtexplore.files import writing
from vtexplore.widgets._joined import SCRIPT, STYLE
from vtexplore.widgets._sent import Part

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ margin: 0; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #161616; }} }}
{style}
</style>
</head>
<body>
<div class="vtx" id="root">{stills}</div>
<script type="application/json" id="scenes">{scenes}</script>
{numbers}
<script type="module">
{script}
const root = document.getElementById("root");
root.dataset.theme = theme(document.body);
const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => (root.dataset.theme = theme(document.body)));
const scenes = JSON.parse(document.getElementById("scenes").textContent);
const places = scenes.map(() => h("div", {{ className: "vtx-place" }}));
root.replaceChildren(...places);
scenes.forEach((scene, i) => {{
  const text = atob(document.getElementById(`numbers-${{i}}`).textContent);
  DRAWS[scene.kind](places[i], scene, Uint8Array.from(text, (c) => c.charCodeAt(0)).buffer, null);
}});
</script>
</body>
</html>
"""


def page(parts: Sequence[Part], path: str | os.PathLike[str]) -> Path:
    """Write the page and return its path; whole or not at all. Without scripts it shows a picture of each part."""
    scenes = [part.scene() | {"kind": part.kind} for part in parts]
    coded = [base64.b64encode(part.numbers()).decode() for part in parts]
    binary = '<script type="application/octet-stream" id="numbers-{}">{}</script>'
    numbers = [binary.format(i, code) for i, code in enumerate(coded)]
    script = re.sub(r"^export default .*$", "", SCRIPT, flags=re.MULTILINE)
    whole = PAGE.format(
        title=html.escape(f"{scenes[0].get('text', scenes[0]['clip'])} · {scenes[0]['model']}"),
        style=STYLE,
        stills="".join(part.picture().html() for part in parts),
        scenes=json.dumps(scenes, ensure_ascii=False).replace("<", "\\u003c"),  # text cannot end its element
        numbers="\n".join(numbers),
        script=script,
    )
    with writing(path) as partial:
        partial.write_text(whole, "utf-8")
    return Path(path)
