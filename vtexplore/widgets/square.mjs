// @ts-check
/** All rows of a layer's attention, not only those of words: who looks at whom. */

import { kinds, paint, percent } from "./kit.mjs";
import { colourBar, h } from "./parts.mjs";

/** @typedef {{names: string[], video: boolean[]}} Side
 * @param {Uint8ClampedArray} colours of 256 steps */
export function square(colours) {
  const canvas = h("canvas", { className: "vtx-square", tabIndex: 0, role: "img" });
  const told = h("p", { className: "vtx-saying", "aria-live": "polite" });
  const bar = colourBar();
  const sums = h("p", { className: "vtx-tip" });
  const element = h("div", { hidden: true }, h("p", { className: "vtx-tip", textContent: "All tokens: those that look, from top to bottom; those that are looked at, from left to right." }), canvas, bar.element, told, sums);
  /** @type {{rows: Side, columns: Side, weights: Float32Array} | null} */
  let shown = null;
  let at = [0, 0];
  /** @param {number} row @param {number} column */
  function point(row, column) {
    if (!shown) return;
    const { rows, columns, weights } = shown;
    at = [Math.max(0, Math.min(rows.names.length - 1, row)), Math.max(0, Math.min(columns.names.length - 1, column))];
    const share = weights[at[0] * columns.names.length + at[1]];
    told.textContent = `'${rows.names[at[0]]}' gives ${percent(share)} of its attention to '${columns.names[at[1]]}'.`;
  }
  canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    if (!shown) return;
    const box = canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * shown.rows.names.length);
    point(row, Math.floor(((event.clientX - box.left) / box.width) * shown.columns.names.length));
  });
  canvas.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    point(at[0] + step[0], at[1] + step[1]);
  });
  return {
    element,
    hide: () => (element.hidden = true),
    /** @param {{site: string, head: number | null, rows: Side, columns: Side}} said @param {ArrayBuffer} bytes
     * as `_asked.square` sends them */
    show(said, bytes) {
      const { rows, columns } = said;
      const [count, across] = [rows.names.length, columns.names.length];
      const tops = new Float32Array(bytes, 0, count);
      const steps = new Uint8Array(bytes, 4 * count, count * across);
      const weights = Float32Array.from(steps, (step, i) => (step / 255) * tops[Math.floor(i / across)]);
      shown = { rows, columns, weights };
      Object.assign(canvas, { width: across, height: count });
      canvas.style.aspectRatio = `${across} / ${count}`;
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(across, count);
      paint(steps, 255, colours, pixels.data);
      context.putImageData(pixels, 0, 0);
      const where = `${said.site}, ${said.head === null ? "mean of heads" : `head ${said.head}`}`;
      bar.show({ colours, ends: ["0", "the row's top"], unit: "of a row's attention", scale: "a scale of its own for each row" });
      const parts = kinds(rows.video, columns.video, weights).map(([a, b, share]) => `${a} → ${b} ${percent(share)}`);
      sums.textContent = `${where}, ${count} × ${across} tokens. Of their attention: ${parts.join(", ")}.`;
      canvas.setAttribute("aria-label", `attention of all tokens at ${where}; arrow keys read it`);
      told.textContent = "";
      element.hidden = false;
    },
  };
}
