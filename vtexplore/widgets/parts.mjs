// @ts-check
/** What one sees and touches. Every part is given what to show and says what was done; none asks Python. */

import { css, inkOn, paint, percent, signed } from "./kit.mjs";

/** An element with properties, attributes (names with a hyphen, and `role`) and children; text is never markup.
 * @param {string} tag @param {Record<string, any>} [what] @param {...(Node | string)} children @returns {any} */
export function h(tag, what = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(what)) {
    if (value === undefined || value === null) continue;
    if (name.includes("-") || name === "role") element.setAttribute(name, String(value));
    else if (name === "style") Object.assign(element.style, value);
    else /** @type {any} */ (element)[name] = value;
  }
  element.append(...children);
  return element;
}

/** A row of buttons of which one is on; arrow keys move, and only one stop of the Tab key is needed.
 * @param {HTMLElement[]} buttons @param {string} label @param {string} [role] */
export function roving(buttons, label, role = "group") {
  const box = h("div", { className: "vtx-roving", role, "aria-label": label }, ...buttons);
  buttons.forEach((button, i) => (button.tabIndex = i ? -1 : 0));
  box.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = buttons.indexOf(/** @type {HTMLElement} */ (event.target));
    if (!step || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    buttons.forEach((button) => (button.tabIndex = button === next ? 0 : -1));
    next.focus();
  });
  return box;
}

// ── the sentence ──────────────────────────────────────────────────────────────────────────────────

/** The words of the text. `on.hover(word | null)`, `on.pin(word)`, `on.mask(word)`.
 * @param {string[]} words @param {{hover: (w: number | null) => void, pin: (w: number) => void, mask: (w: number) => void}} on
 * @param {boolean} masks whether a word can be masked */
export function sentence(words, on, masks) {
  const hint = masks ? " Double click, or the key m: mask it." : "";
  const chips = words.map((word, i) =>
    h("button", { className: "vtx-word", type: "button", textContent: word, title: `Click: stay with this word.${hint}` }),
  );
  chips.forEach((chip, i) => {
    chip.addEventListener("pointerenter", () => on.hover(i));
    chip.addEventListener("pointerleave", () => on.hover(null));
    chip.addEventListener("focus", () => on.hover(i));
    chip.addEventListener("blur", () => on.hover(null));
    chip.addEventListener("click", () => on.pin(i));
    if (!masks) return;
    chip.addEventListener("dblclick", () => on.mask(i));
    chip.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "m") on.mask(i);
    });
  });
  return {
    element: roving(chips, `the words${masks ? "; m masks one" : ""}`),
    /** @param {number} pinned @param {number} shown @param {number | null} masked */
    show(pinned, shown, masked) {
      chips.forEach((chip, i) => {
        chip.setAttribute("aria-pressed", String(i === pinned));
        chip.classList.toggle("vtx-shown", i === shown);
        chip.classList.toggle("vtx-masked", i === masked);
        chip.textContent = i === masked ? "[MASK]" : words[i];
      });
    },
    /** Light the words by what they have to do with something (NaN: nothing is known); null: none.
     * @param {ArrayLike<number> | null} shares @param {Uint8ClampedArray} colours @param {boolean} [signed] */
    light(shares, colours, signed = false) {
      const known = Array.from(shares ?? []).filter((x) => !Number.isNaN(x));
      const most = Math.max(...known.map(Math.abs), 1e-12);
      chips.forEach((chip, i) => {
        const share = shares && !Number.isNaN(shares[i]) ? (signed ? (shares[i] / most + 1) / 2 : shares[i] / most) : null;
        chip.style.background = share === null ? "" : css(colours, share);
        chip.style.color = share === null ? "" : inkOn(colours, share);
      });
    },
  };
}

// ── frames ────────────────────────────────────────────────────────────────────────────────────────

/** Pictures with a map laid over them: `lay(context, image, map | null)`; under a map of two sides a picture is grey.
 * @typedef {{heat: ArrayLike<number>, top: number, colours: Uint8ClampedArray, signed: boolean}} Over  `heat` of one frame
 * @param {Pick<import("./kit.mjs").Scene, "grid" | "region" | "size">} scene */
export function layer(scene) {
  const [, rows, columns] = scene.grid;
  const [width, height] = scene.size;
  const [left, top, right, bottom] = scene.region;
  const small = h("canvas", { width: columns, height: rows });
  const inner = small.getContext("2d");
  const pixels = inner.createImageData(columns, rows);
  return (/** @type {CanvasRenderingContext2D} */ context, /** @type {CanvasImageSource} */ image, /** @type {Over | null} */ over) => {
    context.filter = over && over.signed ? "grayscale(1) contrast(0.8)" : "none";
    context.drawImage(image, 0, 0, width, height);
    context.filter = "none";
    if (!over) return;
    paint(over.heat, over.top, over.colours, pixels.data, over.signed);
    inner.putImageData(pixels, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, left * width, top * height, (right - left) * width, (bottom - top) * height);
  };
}

/** What colours mean, in numbers, with the unit and the words whether it is one scale for all. */
export function colourBar() {
  const canvas = h("canvas", { width: 256, height: 1, "aria-hidden": "true" });
  const ends = h("span", { className: "vtx-ends" });
  const told = h("span", { className: "vtx-unit" });
  return {
    element: h("div", { className: "vtx-bar-of-colours" }, h("span", { className: "vtx-scale" }, canvas, ends), told),
    /** @param {{colours: Uint8ClampedArray, ends: string[], unit: string, scale: string}} what `ends`: from left to right */
    show(what) {
      const context = canvas.getContext("2d");
      const pixels = context.createImageData(256, 1);
      pixels.data.set(what.colours);
      context.putImageData(pixels, 0, 0);
      ends.replaceChildren(...what.ends.map((end) => h("span", { textContent: end })));
      told.textContent = `${what.unit} · ${what.scale}`;
    },
  };
}

/** The frames with heat on them. They can be dragged (or moved by Alt and arrow keys) where `on.move` is given.
 * @typedef {Pick<import("./kit.mjs").Scene, "grid" | "region" | "size" | "frames" | "times_s" | "outlines">} Film
 * @param {Film} scene @param {Uint8ClampedArray} colours
 * @param {{hover: (patch: number | null) => void, move: ((from: number, to: number) => void) | null}} on
 * @param {(slot: number, frame: number) => string} [name] what stands below a frame */
export function strip(scene, colours, on, name = (slot, frame) => `frame ${slot + 1} · ${scene.times_s[frame].toFixed(1)} s${frame === slot ? "" : ` (was ${frame + 1})`}`) {
  const [frames, rows, columns] = scene.grid;
  const [width, height] = scene.size;
  const lay = layer(scene);
  const images = scene.frames.map((source) => {
    const image = new Image();
    image.src = source;
    return image;
  });
  const outlines = scene.outlines.map((paths) => paths.map((d) => new Path2D(d)));
  /** @type {{order: number[], heat: ArrayLike<number> | null, top: (frame: number) => number, patch: number | null, things: number[], sides: Uint8ClampedArray | null}} */
  let shown = { order: scene.frames.map((_, i) => i), heat: null, top: () => 1, patch: null, things: [], sides: null };

  const cells = scene.frames.map((_, slot) => {
    const canvas = h("canvas", { width: width, height: height, role: "img" });
    const time = h("span", { className: "vtx-time" });
    const cell = h("div", { className: "vtx-frame", tabIndex: 0, role: "group" }, canvas, time);
    return { cell, canvas, time, slot };
  });

  /** @param {number} slot */
  function draw(slot) {
    const frame = shown.order[slot];
    const context = cells[slot].canvas.getContext("2d");
    const size = rows * columns;
    const heat = shown.heat && Array.prototype.slice.call(shown.heat, slot * size, (slot + 1) * size);
    lay(context, images[frame], heat && { heat, top: shown.top(slot), colours: shown.sides ?? colours, signed: Boolean(shown.sides) });
    if (!heat) return;
    const [left, top, right, bottom] = scene.region;
    for (const thing of outlines.length ? shown.things : []) {
      for (const [colour, line] of [["#000", 3.2], ["#fff", 1.5]]) {
        context.strokeStyle = String(colour);
        context.lineWidth = Number(line);
        context.stroke(outlines[thing][frame]);
      }
    }
    if (shown.patch !== null && Math.floor(shown.patch / size) === slot) {
      const at = shown.patch % size;
      const w = ((right - left) * width) / columns;
      const t = ((bottom - top) * height) / rows;
      context.strokeStyle = "#fff";
      context.lineWidth = 2;
      context.strokeRect(left * width + (at % columns) * w + 1, top * height + Math.floor(at / columns) * t + 1, w - 2, t - 2);
    }
  }

  /** The patch under a pointer, or null.
   * @param {PointerEvent} event @param {number} slot */
  function patchAt(event, slot) {
    const box = cells[slot].canvas.getBoundingClientRect();
    const [left, top, right, bottom] = scene.region;
    const x = ((event.clientX - box.left) / box.width - left) / (right - left);
    const y = ((event.clientY - box.top) / box.height - top) / (bottom - top);
    if (!(x >= 0 && x < 1 && y >= 0 && y < 1)) return null;
    return slot * rows * columns + Math.floor(y * rows) * columns + Math.floor(x * columns);
  }

  /** @type {{from: number, x: number, moving: boolean} | null} */
  let drag = null;
  /** @param {number} x */
  const slotAt = (x) => {
    const middles = cells.map(({ cell }) => {
      const box = cell.getBoundingClientRect();
      return Math.abs(box.left + box.width / 2 - x);
    });
    return middles.indexOf(Math.min(...middles));
  };
  for (const { cell, canvas, slot } of cells) {
    canvas.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!drag) on.hover(patchAt(event, slot));
    });
    canvas.addEventListener("pointerleave", () => on.hover(null));
    cell.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const to = slot + (step || 0);
      if (!step || to < 0 || to >= frames) return;
      event.preventDefault();
      if (event.altKey && on.move) on.move(slot, to);
      cells[to].cell.focus();
    });
    if (!on.move) continue;
    const move = on.move;
    cell.classList.add("vtx-movable");
    cell.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => {
      if (event.button) return;
      drag = { from: slot, x: event.clientX, moving: false };
      cell.setPointerCapture(event.pointerId);
    });
    cell.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      if (!drag || drag.from !== slot) return;
      drag.moving ||= Math.abs(event.clientX - drag.x) > 6;
      if (!drag.moving) return;
      on.hover(null);
      cell.style.transform = `translateX(${event.clientX - drag.x}px)`;
      cell.classList.add("vtx-dragged");
    });
    const end = (/** @type {PointerEvent} */ event, /** @type {boolean} */ drop) => {
      if (!drag || drag.from !== slot) return;
      const { moving } = drag;
      const to = moving ? slotAt(event.clientX) : slot;
      drag = null;
      cell.style.transform = "";
      cell.classList.remove("vtx-dragged");
      if (drop && moving && to !== slot) move(slot, to);
    };
    cell.addEventListener("pointerup", (/** @type {PointerEvent} */ event) => end(event, true));
    cell.addEventListener("pointercancel", (/** @type {PointerEvent} */ event) => end(event, false));
  }
  const ready = Promise.all(images.map((image) => image.decode().catch(() => {}))).then(() => cells.forEach((_, i) => draw(i)));
  return {
    element: h("div", { className: "vtx-strip", role: "group", "aria-label": "the frames" }, ...cells.map((c) => c.cell)),
    ready,
    /** @param {number[]} order @param {ArrayLike<number> | null} weights @param {(frame: number) => number} top
     * @param {number | null} patch @param {number[]} things to outline
     * @param {string[]} said for those who do not see it, one a frame
     * @param {Uint8ClampedArray | null} [sides] colours of weights with two sides; null: weights are ≥ 0 */
    show(order, weights, top, patch, things, said, sides = null) {
      shown = { order, heat: weights, top, patch, things, sides };
      cells.forEach(({ cell, canvas, time }, slot) => {
        draw(slot);
        time.textContent = name(slot, order[slot]);
        canvas.setAttribute("aria-label", said[slot]);
        cell.setAttribute("aria-label", `${time.textContent}${on.move ? "; Alt and an arrow key move it" : ""}`);
      });
    },
  };
}

/** The clip, played, with the heat of the frame that each moment belongs to.
 * @param {import("./kit.mjs").Scene} scene @param {(slot: number, film: CanvasImageSource, canvas: HTMLCanvasElement) => void} draw */
export function player(scene, draw) {
  const [width, height] = scene.size;
  const canvas = h("canvas", { width, height, role: "img", "aria-label": `${scene.clip}, played` });
  const images = scene.film.map((source) => Object.assign(new Image(), { src: source }));
  const button = h("button", { type: "button", className: "vtx-play", textContent: "▶", "aria-label": "play" });
  const slider = h("input", { type: "range", min: "0", max: String(scene.film.length - 1), value: "0", "aria-label": "moment" });
  const step_ms = scene.film.length > 1 ? 1000 * (scene.film_times_s[1] - scene.film_times_s[0]) : 1000;
  let timer = 0;
  const show = () => {
    const at = Number(slider.value);
    const time = scene.film_times_s[at];
    const gaps = scene.times_s.map((t) => Math.abs(t - time));
    slider.setAttribute("aria-valuetext", `${time.toFixed(1)} s`);
    if (images[at].complete) draw(gaps.indexOf(Math.min(...gaps)), images[at], canvas);
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "▶";
    button.setAttribute("aria-label", "play");
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    button.textContent = "❚❚";
    button.setAttribute("aria-label", "pause");
    timer = window.setInterval(() => {
      if (!canvas.isConnected) return stop();
      slider.value = String((Number(slider.value) + 1) % scene.film.length);
      show();
    }, step_ms);
  });
  slider.addEventListener("input", show);
  Promise.all(images.map((image) => image.decode().catch(() => {}))).then(show);
  return { element: h("div", { className: "vtx-player" }, canvas, h("div", { className: "vtx-controls" }, button, slider)), show, stop };
}

// ── layers and heads ──────────────────────────────────────────────────────────────────────────────

/** A small picture for each layer and head, and the colour of a statistic; `on.pick(look, head)`.
 * @param {import("./kit.mjs").Scene} scene @param {import("./kit.mjs").Numbers} numbers
 * @param {{pick: (look: number, head: number) => void}} on */
export function heads(scene, numbers, on) {
  const [frames, rows, columns] = scene.grid;
  const wide = frames * (columns + 1) - 1;
  /** @type {{button: HTMLButtonElement, look: number, head: number, context: CanvasRenderingContext2D, bar: HTMLElement}[]} */
  const cells = [];
  const table = h("div", { className: "vtx-heads" });
  scene.looks.forEach((look, at) => {
    if (look.method) return;
    const buttons = Array.from({ length: look.heads }, (_, head) => {
      const canvas = h("canvas", { width: wide, height: rows, "aria-hidden": "true" });
      const bar = h("span", { className: "vtx-mark" });
      const button = h("button", { type: "button", className: "vtx-head" }, canvas, bar);
      button.addEventListener("click", () => on.pick(at, head));
      cells.push({ button, look: at, head, context: canvas.getContext("2d"), bar });
      return button;
    });
    table.append(h("span", { className: "vtx-site", textContent: look.site }), roving(buttons, `heads of ${look.site}`));
  });
  const patch = new Uint8ClampedArray(4 * rows * columns);
  return {
    element: table,
    /** @param {number} word @param {(look: number, head: number) => Float32Array} heatOf
     * @param {(look: number, head: number) => number} valueOf @param {string} name of the statistic
     * @param {boolean} share whether it is one @param {(heat: ArrayLike<number>) => number} topOf */
    show(word, heatOf, valueOf, name, share, topOf) {
      const values = cells.map((cell) => valueOf(cell.look, cell.head));
      const most = Math.max(...values.filter((x) => !Number.isNaN(x)), 1e-12);
      cells.forEach((cell, i) => {
        const heat = heatOf(cell.look, cell.head);
        const top = topOf(heat);
        const picture = cell.context.createImageData(wide, rows);
        for (let frame = 0; frame < frames; frame++) {
          const size = rows * columns;
          paint(heat.subarray(frame * size, (frame + 1) * size), top, numbers.marks, patch);
          for (let row = 0; row < rows; row++) {
            picture.data.set(patch.subarray(4 * row * columns, 4 * (row + 1) * columns), 4 * (row * wide + frame * (columns + 1)));
          }
        }
        cell.context.putImageData(picture, 0, 0);
        const value = values[i];
        const told = Number.isNaN(value) ? "–" : share ? percent(value) : value.toFixed(2);
        cell.bar.textContent = told;
        cell.bar.style.background = Number.isNaN(value) ? "" : css(numbers.marks, value / most);
        cell.bar.style.color = Number.isNaN(value) ? "" : inkOn(numbers.marks, value / most);
        cell.button.setAttribute("aria-label", `${scene.looks[cell.look].site} head ${cell.head}: ${name} ${told}`);
        cell.button.title = `${scene.looks[cell.look].site}, head ${cell.head}: ${told}`;
      });
    },
    /** Mark what is chosen; the pictures stay.
     * @param {{look: number, head: number}} chosen */
    press(chosen) {
      for (const { button, look, head } of cells) {
        button.setAttribute("aria-pressed", String(look === chosen.look && (head === chosen.head || chosen.head < 0)));
      }
    },
  };
}

// ── predictions and scores ────────────────────────────────────────────────────────────────────────

/** What Python says to a masked word: a bar for each word under each condition. Numbers are text, too.
 * @param {{sentence: string, conditions: string[], words: string[], p: number[][], answer: string | null, said: string}} found */
export function predictions(found) {
  const most = Math.max(0.05, ...found.p.flat());
  const head = h("tr", {}, h("th", { textContent: "word" }), ...found.conditions.map((c) => h("th", { textContent: c, scope: "col" })));
  const lines = found.words.map((word, i) =>
    h(
      "tr",
      {},
      h("th", { textContent: word === found.answer ? `${word} ✓` : word, scope: "row" }),
      ...found.p.map((p, c) =>
        h(
          "td",
          {},
          h("span", { className: `vtx-bar vtx-bar-${Math.min(c, 3)}`, style: { width: `${(1.6 * p[i]) / most}em` }, "aria-hidden": "true" }),
          h("span", { className: "vtx-value", textContent: percent(p[i]) }),
        ),
      ),
    ),
  );
  return h(
    "div",
    { className: "vtx-predictions" },
    h("p", {}, h("strong", { textContent: found.sentence }), h("br"), found.said),
    h("table", { "aria-label": `predictions for ${found.sentence}` }, h("thead", {}, head), h("tbody", {}, ...lines)),
  );
}

/** A matching score and its change.
 * @param {number | null} score @param {number | null} before */
export function scoreLine(score, before) {
  if (score === null) return "";
  const change = before === null ? "" : `, ${signed(score - before)} against the frames as filmed`;
  return `matching score ${signed(score)}${change}`;
}
