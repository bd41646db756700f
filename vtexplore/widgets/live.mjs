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

/** Light or dark, as the page around is, also from within a shadow root, as in marimo.
 * @param {HTMLElement} element */
export function theme(element) {
  for (let at = /** @type {HTMLElement | null} */ (element); at; at = above(at)) {
    const [r, g, b, a] = rgba(getComputedStyle(at).backgroundColor);
    if (a > 127) return 0.299 * r + 0.587 * g + 0.114 * b < 128 ? "dark" : "light";
  }
  return "light";
}

/** A colour in any notation of CSS as four numbers, 0..255: only a canvas reads them all.
 * @param {string} colour @returns {Uint8ClampedArray} */
function rgba(colour) {
  const pen = /** @type {CanvasRenderingContext2D} */ (h("canvas", { width: 1, height: 1 }).getContext("2d"));
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  return pen.getImageData(0, 0, 1, 1).data;
}

/** What an element stands in, out of a shadow root as well.
 * @param {HTMLElement} element @returns {HTMLElement | null} */
function above(element) {
  const root = element.getRootNode();
  return element.parentElement || (root instanceof ShadowRoot ? /** @type {HTMLElement} */ (root.host) : null);
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
