// @ts-check
/** The bench: a clip, a sentence and a model, tied together. Runs without Python on what it already knows. */

import { byFrame, heatOf, moved, numbersOf, orderName, paint, percent, say, shuffled, statisticOf, topOf, wordsOf } from "./kit.mjs";
import { h, heads, player, predictions, scoreLine, sentence, strip } from "./parts.mjs";

const HELP =
  "Attention says where a layer reads from; it is not by itself an explanation of what the model says. " +
  "Colours of the frames are on one scale for all frames, or on a scale of its own for each, as chosen.";

/** One bench in an element. `ask` sends a question to Python and promises its answer; null: nobody is there.
 * @param {HTMLElement} root @param {import("./kit.mjs").Scene} scene @param {ArrayBuffer} bytes
 * @param {((what: object) => Promise<{answer: any, buffers: ArrayBuffer[]}>) | null} ask
 * @param {(selection: object) => void} [tell] what is chosen now */
export function bench(root, scene, bytes, ask, tell = () => {}) {
  const numbers = numbersOf(scene, bytes);
  const [frames, rows, columns] = scene.grid;
  const asFilmed = Array.from({ length: frames }, (_, i) => i);
  const state = {
    word: scene.chosen.word,
    hovered: /** @type {number | null} */ (null),
    patch: /** @type {number | null} */ (null),
    look: scene.chosen.look,
    head: scene.chosen.head,
    statistic: 0,
    each: false,
    order: asFilmed,
    masked: /** @type {number | null} */ (null),
  };
  const shownWord = () => state.hovered ?? state.word;
  const heatNow = () => heatOf(scene, numbers, state.look, state.head, shownWord());

  // ── parts ──
  const status = h("p", { className: "vtx-status", role: "status", "aria-live": "polite" });
  const saying = h("p", { className: "vtx-saying" });
  const words = sentence(
    scene.words,
    {
      hover: (word) => {
        state.hovered = word;
        paintWord();
      },
      pin: (word) => {
        state.word = word;
        paintAll();
        report();
      },
      mask: (word) => fill(state.masked === word ? null : word),
    },
    Boolean(ask && scene.can.fill),
  );
  const film = strip(scene, numbers.heat, {
    hover: (patch) => {
      state.patch = patch;
      words.light(patch === null ? null : wordsOf(scene, numbers, state.look, state.head, patch), numbers.marks);
      paintFrames();
    },
    move: ask && scene.can.match ? (from, to) => reorder(moved(state.order, from, to)) : null,
  });
  const small = h("canvas", { width: columns, height: rows });
  const playing = player(scene, (slot, image, canvas) => {
    const context = canvas.getContext("2d");
    if (!context) return;
    const [width, height] = scene.size;
    context.drawImage(image, 0, 0, width, height);
    const heat = heatNow();
    const inner = small.getContext("2d");
    const pixels = inner.createImageData(columns, rows);
    paint(heat.subarray(slot * rows * columns, (slot + 1) * rows * columns), topOf(heat, scene.even), numbers.heat, pixels.data);
    inner.putImageData(pixels, 0, 0);
    const [left, top, right, bottom] = scene.region;
    context.imageSmoothingEnabled = false;
    context.drawImage(small, left * width, top * height, (right - left) * width, (bottom - top) * height);
  });
  const grid = heads(scene, numbers, {
    pick: (look, head) => {
      Object.assign(state, { look, head });
      choice.value = String(look);
      paintChoice();
      report();
    },
  });
  const choice = h(
    "select",
    { "aria-label": "layer or method" },
    ...scene.looks.map((look, i) => h("option", { value: String(i), textContent: look.method ? `${look.site} (all layers)` : look.site })),
  );
  choice.value = String(state.look);
  choice.addEventListener("change", () => {
    Object.assign(state, { look: Number(choice.value), head: scene.looks[Number(choice.value)].heads > 1 ? -1 : 0 });
    paintChoice();
    report();
  });
  const measure = h(
    "select",
    { "aria-label": "statistic of the heads" },
    ...scene.statistics.map((s, i) => h("option", { value: String(i), textContent: s.name })),
  );
  const tip = h("p", { className: "vtx-tip" });
  measure.addEventListener("change", () => {
    state.statistic = Number(measure.value);
    paintHeads();
  });
  const scale = h("input", { type: "checkbox", id: `vtx-scale-${++made}` });
  scale.addEventListener("change", () => {
    state.each = scale.checked;
    paintFrames();
  });
  const answers = h("div", { className: "vtx-answers" });
  const score = h("p", { className: "vtx-score", role: "status", "aria-live": "polite" });

  // ── painting ──
  function paintFrames() {
    const heat = heatNow();
    const whole = topOf(heat, scene.even);
    const size = rows * columns;
    const top = state.each ? (/** @type {number} */ f) => topOf(heat.subarray(f * size, (f + 1) * size), scene.even) : () => whole;
    const shares = byFrame(scene, heat);
    const total = shares.reduce((a, b) => a + b, 0) || 1;
    const asIs = state.order.every((x, i) => x === i);
    const said = asFilmed.map((i) => `frame ${i + 1}: ${percent(shares[i] / total)} of the attention of '${scene.words[shownWord()]}'`);
    // Heat belongs to the frames as filmed: in another order it would be a guess, so it is left out.
    film.show(state.order, asIs ? heat : null, top, asIs ? state.patch : null, scene.named[shownWord()], said);
    const look = scene.looks[state.look];
    const head = look.method ? "all layers" : state.head < 0 ? "mean of heads" : `head ${state.head}`;
    saying.textContent = asIs
      ? `${say(scene, heat, shownWord())}. ${look.site}, ${head}; ${state.each ? "a scale for each frame" : "one scale for all frames"}, brightest = ${percent(whole)} of the attention.`
      : `Frames in the order ${state.order.map((x) => x + 1).join(" ")} (${orderName(state.order)}); heat is shown for the clip as filmed.`;
  }
  function paintHeads() {
    const statistic = scene.statistics[state.statistic];
    const word = shownWord();
    grid.show(
      word,
      (look, head) => heatOf(scene, numbers, look, head, word),
      (look, head) => statisticOf(scene, numbers, state.statistic, look, head, word),
      statistic.name,
      statistic.share,
      (heat) => topOf(heat, scene.even),
    );
    const chance = statistic.chance ? statistic.chance[word] : null;
    tip.textContent = `${statistic.tip}${chance === null ? "" : ` An even map has ${percent(chance)}.`}`;
  }
  function paintWord() {
    words.show(state.word, shownWord(), state.masked);
    paintFrames();
    playing.show();
  }
  function paintChoice() {
    paintWord();
    grid.press(state);
  }
  function paintAll() {
    paintChoice();
    paintHeads();
  }
  function report() {
    const look = scene.looks[state.look];
    tell({ word: state.word, site: look.site, head: state.head < 0 ? null : state.head, order: state.order, text: scene.text });
  }

  // ── questions to Python ──
  let asked = 0;
  /** @param {object} what @param {(answer: any, buffers: ArrayBuffer[]) => void} use */
  async function question(what, use) {
    if (!ask) return;
    const mine = ++asked;
    status.textContent = "asking the model …";
    try {
      const { answer, buffers } = await ask(what);
      if (mine !== asked) return; // something newer is on its way
      status.textContent = "";
      use(answer, buffers);
    } catch (error) {
      if (mine === asked) status.textContent = String(error instanceof Error ? error.message : error);
    }
  }
  /** @param {number | null} word */
  function fill(word) {
    state.masked = word;
    paintWord();
    if (word === null) answers.replaceChildren();
    else question({ ask: "fill", word, order: state.order }, (found) => answers.replaceChildren(predictions(found)));
  }
  /** @param {number[]} order */
  function reorder(order) {
    state.order = order;
    paintFrames();
    report();
    question({ ask: "order", order, word: state.masked }, (found) => {
      score.textContent = `${orderName(order)}: ${scoreLine(found.score, scene.score)}`;
      if (found.fill) answers.replaceChildren(predictions(found.fill));
    });
  }
  const typed = h("input", { type: "text", value: scene.text, "aria-label": "another caption", className: "vtx-text", disabled: !ask });
  typed.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation(); // letters are not shortcuts of the notebook
    if (event.key !== "Enter") return;
    question({ ask: "text", text: typed.value }, (next, buffers) => {
      playing.stop();
      bench(root, next, buffers[0], ask, tell);
    });
  });
  /** @param {string} text @param {string} tip @param {() => void} act */
  const button = (text, tip, act) => {
    const made = h("button", { type: "button", textContent: text, title: tip, disabled: !(ask && scene.can.match) });
    made.addEventListener("click", act);
    return made;
  };
  const orders = h(
    "div",
    { className: "vtx-orders", role: "group", "aria-label": "order of the frames" },
    button("shuffle", "Frames in a random order.", () => reorder(shuffled(state.order, Math.random))),
    button("reverse", "Frames backwards.", () => reorder(state.order.slice().reverse())),
    button("freeze", "The middle frame, over and over: nothing moves.", () => reorder(asFilmed.map(() => Math.floor((frames - 1) / 2)))),
    button("as filmed", "The frames as they were.", () => reorder(asFilmed)),
  );
  score.textContent = scoreLine(scene.score, null);

  const shows = (/** @type {string} */ part) => scene.show.includes(part);
  /** @type {HTMLElement[]} */
  const left = shows("heads")
    ? [h("div", { className: "vtx-row" }, h("label", {}, "layer or method ", choice), h("label", {}, "heads by ", measure)), grid.element, tip]
    : [];
  const right = [...(shows("player") ? [playing.element] : []), answers];
  root.replaceChildren(
    h(
      "section",
      { className: "vtx-bench", "aria-label": `${scene.model} looks at ${scene.clip}` },
      words.element,
      film.element,
      saying,
      h(
        "div",
        { className: "vtx-row" },
        ...(shows("orders") ? [orders, score] : []),
        h("label", { className: "vtx-check" }, scale, " a scale for each frame"),
      ),
      h(
        "div",
        { className: "vtx-columns" },
        ...(left.length ? [h("div", { className: "vtx-left" }, ...left)] : []),
        h("div", { className: "vtx-right" }, ...right),
      ),
      ...(shows("caption")
        ? [h("div", { className: "vtx-row" }, h("label", { className: "vtx-grow" }, "another caption ", typed))]
        : []),
      status,
      h(
        "details",
        { className: "vtx-notes" },
        h("summary", { textContent: "what this cannot tell" }),
        h("ul", {}, ...[HELP, ...scene.notes].map((note) => h("li", { textContent: note }))),
      ),
      h("p", { className: "vtx-origin", textContent: `${scene.origin}${ask ? "" : " · without Python: what needs the model is switched off"}` }),
    ),
  );
  film.ready.then(paintAll);
  paintAll();
  return { state };
}

let made = 0;
