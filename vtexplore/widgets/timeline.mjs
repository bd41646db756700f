// @ts-check
/** A clip as a sentence of visual words: what the model saw above, what it read below. */

import { h, roving } from "./parts.mjs";

/**
 * @typedef {{
 *   model: string, clip: string, origin: string, said: string, notes: string[], frames: string[], times_s: number[],
 *   codes: number[], nearest: number[], distance: number[], words: Record<string, {picture: string, path: string, count: number | null}>
 * }} Reading
 * @param {HTMLElement} root @param {Reading} scene @param {ArrayBuffer} bytes no numbers: its length is 0
 * @param {unknown} _ nobody is asked @param {(selection: object) => void} [tell] */
export function timeline(root, scene, bytes, _, tell = () => {}) {
  let pinned = 0;
  const told = h("p", { className: "vtx-saying", role: "status", "aria-live": "polite" });
  const large = h("img", { className: "vtx-large", alt: "" });
  const moments = scene.codes.map((code, i) => {
    const time = `${scene.times_s[i].toFixed(1)} s`;
    const button = h(
      "button",
      { type: "button", className: "vtx-moment", "aria-label": `${time}: word ${code}` },
      h("img", { src: scene.frames[i], alt: "" }),
      h("span", { className: "vtx-time", textContent: time }),
      h("img", { src: scene.words[code].picture, alt: "" }),
      h("span", { className: "vtx-code", textContent: String(code) }),
    );
    button.addEventListener("pointerenter", () => show(i));
    button.addEventListener("pointerleave", () => show(pinned));
    button.addEventListener("focus", () => show(i));
    button.addEventListener("click", () => {
      pinned = i;
      show(i);
      tell({ moment: i, word: code });
    });
    return button;
  });
  /** @param {number} at */
  function show(at) {
    const code = scene.codes[at];
    const { picture, path, count } = scene.words[code];
    const same = scene.codes.flatMap((other, i) => (other === code && i !== at ? [`${scene.times_s[i].toFixed(1)} s`] : []));
    moments.forEach((button, i) => {
      button.setAttribute("aria-pressed", String(i === pinned));
      button.classList.toggle("vtx-shown", scene.codes[i] === code);
    });
    large.src = picture;
    large.alt = `what word ${code} stands for: the moment nearest to its centroid`;
    told.textContent =
      `${scene.times_s[at].toFixed(1)} s is read as word ${code} (way through the tree: ${path}), ${scene.distance[at].toFixed(2)} from its centroid` +
      (scene.nearest[at] === code ? "" : `, though word ${scene.nearest[at]} is nearer: a tree need not end at the nearest leaf`) +
      (count === null ? "" : `; made of ${count} moments`) +
      (same.length ? `. The same word at ${same.join(", ")}.` : ". No other moment of this clip has it.");
  }
  root.replaceChildren(
    h(
      "section",
      { className: "vtx-bench", "aria-label": `${scene.clip} in visual words` },
      h("p", { className: "vtx-task", textContent: scene.said }),
      h("div", { className: "vtx-columns" }, h("div", { className: "vtx-moments" }, roving(moments, "moments of the clip")), large),
      told,
      h("details", { className: "vtx-notes" }, h("summary", { textContent: "what this cannot tell" }), h("ul", {}, ...scene.notes.map((n) => h("li", { textContent: n })))),
      h("p", { className: "vtx-origin", textContent: scene.origin }),
    ),
  );
  show(0);
}
