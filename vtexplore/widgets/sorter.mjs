// @ts-check
/** Put the frames in order yourself, then see how the model did. */

import { inOrder, moved, percent } from "./kit.mjs";
import { h, strip } from "./parts.mjs";

/**
 * @typedef {import("./parts.mjs").Film & {
 *   model: string, clip: string, text: string, origin: string, notes: string[], start: number[],
 *   found: number[], tied: number, how: string
 * }} Puzzle  `start`: the order that is shown first; `found`: the model's
 * @param {HTMLElement} root @param {Puzzle} scene @param {ArrayBuffer} bytes no numbers: its length is 0
 * @param {unknown} _ nobody is asked: the model's order came along @param {(selection: object) => void} [tell] */
export function sorter(root, scene, bytes, _, tell = () => {}) {
  let order = scene.start;
  let checked = false;
  const none = new Uint8ClampedArray(1024);
  const film = strip(
    scene,
    none,
    { hover: () => {}, move: (from, to) => arrange(moved(order, from, to)) },
    (slot, frame) => (checked ? `${scene.times_s[frame].toFixed(1)} s` : `place ${slot + 1}`),
  );
  const models = strip(scene, none, { hover: () => {}, move: null }, (slot, frame) => `${scene.times_s[frame].toFixed(1)} s`);
  const yours = h("p", { className: "vtx-score", role: "status", "aria-live": "polite" });
  const theirs = h("p", { className: "vtx-score" });
  const answer = h("div", { hidden: true }, theirs, models.element);
  const done = h("button", { type: "button", textContent: "That is the order", title: "See when the frames were, and the model's order." });
  const again = h("button", { type: "button", textContent: "once more", title: "Back to the start." });

  /** @param {number[]} frames */
  const score = (frames) => `${percent(inOrder(frames))} of the pairs stand the right way round`;
  /** @param {number[]} next */
  function arrange(next) {
    order = next;
    checked = false;
    show();
  }
  function show() {
    film.show(order, null, () => 1, null, [], order.map((_, i) => `the frame at place ${i + 1}`));
    answer.hidden = !checked;
    yours.textContent = checked ? `You: ${score(order)} (by chance 50 %).` : "";
    tell({ order, checked });
  }
  done.addEventListener("click", () => {
    checked = true;
    const tie = scene.tied > 1 ? ` ${scene.tied} orders are equally good to it; this is one of them.` : "";
    theirs.textContent = `${scene.model}: ${score(scene.found)}, ${scene.how}.${tie}`;
    models.show(scene.found, null, () => 1, null, [], scene.found.map((frame) => `frame ${frame + 1}`));
    show();
  });
  again.addEventListener("click", () => arrange(scene.start));
  root.replaceChildren(
    h(
      "section",
      { className: "vtx-bench", "aria-label": `frames of ${scene.clip} to be put in order` },
      h("p", { className: "vtx-task" }, "Drag the frames into the order in which they were filmed: ", h("strong", { textContent: scene.text })),
      film.element,
      h("div", { className: "vtx-row" }, done, again, yours),
      answer,
      h("details", { className: "vtx-notes" }, h("summary", { textContent: "what this cannot tell" }), h("ul", {}, ...scene.notes.map((n) => h("li", { textContent: n })))),
      h("p", { className: "vtx-origin", textContent: scene.origin }),
    ),
  );
  film.ready.then(show);
  models.ready.then(show);
  show();
}
