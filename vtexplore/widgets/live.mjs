// @ts-check
/** The door of all widgets: Python is asked by messages, and sends what there is to see when somebody looks. */

import { card } from "./card.mjs";
import { bench } from "./explorer.mjs";
import { h } from "./parts.mjs";
import { sorter } from "./sorter.mjs";
import { timeline } from "./timeline.mjs";

/** What draws each kind of part: (place, scene, numbers, ask, tell).
 * @type {Record<string, (root: HTMLElement, scene: any, bytes: ArrayBuffer, ask: any, tell?: (selection: object) => void) => void>} */
export const DRAWS = { bench, sorter, timeline, card };

/** Light or dark, as the page around is.
 * @param {HTMLElement} element */
export function theme(element) {
  for (let at = /** @type {HTMLElement | null} */ (element); at; at = at.parentElement) {
    const [r, g, b, a] = (getComputedStyle(at).backgroundColor.match(/[\d.]+/g) || []).map(Number);
    if (a === undefined || a > 0.5) return 0.299 * r + 0.587 * g + 0.114 * b < 128 ? "dark" : "light";
  }
  return "light";
}

/** @param {{model: any, el: HTMLElement}} widget */
function render({ model, el }) {
  const root = h("div", { className: "vtx" });
  el.append(root);
  root.dataset.theme = theme(el.parentElement || el);
  const waiting = new Map();
  let number = 0;
  /** @param {object} what @returns {Promise<{answer: any, buffers: ArrayBuffer[]}>} */
  const send = (what) =>
    new Promise((resolve, reject) => {
      waiting.set(++number, { resolve, reject });
      model.send({ ...what, number });
    });
  const hear = (/** @type {any} */ message, /** @type {DataView[]} */ views = []) => {
    const who = waiting.get(message.number);
    if (!who) return;
    waiting.delete(message.number);
    const buffers = views.map((v) => v.buffer.slice(v.byteOffset, v.byteOffset + v.byteLength));
    if (message.error) who.reject(new Error(message.error));
    else who.resolve({ answer: message.answer, buffers });
  };
  model.on("msg:custom", hear);
  send({ ask: "scenes" }).then(({ answer, buffers }) => {
    const places = answer.scenes.map(() => h("div", { className: "vtx-place" }));
    root.replaceChildren(...places);
    answer.scenes.forEach((/** @type {any} */ scene, /** @type {number} */ i) =>
      DRAWS[answer.kinds[i]](places[i], scene, buffers[i], (/** @type {object} */ what) => send({ ...what, part: i }), (selection) => {
        model.set("selection", { ...model.get("selection"), [i]: selection });
        model.save_changes();
      }),
    );
    // The picture above was for those without Python.
    for (const still of document.querySelectorAll(`.${answer.still}`)) {
      const output = /** @type {HTMLElement} */ (still.closest(".jp-OutputArea-child") || still);
      output.style.display = "none";
    }
  });
  return () => model.off("msg:custom", hear);
}

export default { render };
