// @ts-check
/** The bench: a clip, a sentence and a model, tied together. Runs without Python on what it already knows. */

import { byFrame, heatOf, moved, numbersOf, orderName, percent, precise, say, shuffled, statisticOf, topOf, wordsOf } from "./kit.mjs";
import { mapsOf } from "./maps.mjs";
import { colourBar, h, heads, layer, player, predictions, scoreLine, sentence, strip } from "./parts.mjs";
import { square } from "./square.mjs";

const HELP =
  "Attention says where a layer reads from; it is not by itself an explanation of what the model says. " +
  "Methods disagree, and none is true because it looks well: faithfulness() asks which of them tells what the model uses.";

/** One bench in an element. `ask` sends a question to Python and promises its answer; null: nobody is there.
 * @param {HTMLElement} root @param {import("./kit.mjs").Scene} scene @param {ArrayBuffer} bytes
 * @param {((what: object) => Promise<{answer: any, buffers: ArrayBuffer[]}>) | null} ask
 * @param {(selection: object) => void} [tell] what is chosen now */
export function bench(root, scene, bytes, ask, tell = () => {}) {
  const numbers = numbersOf(scene, bytes);
  const asked = scene.asked ?? { methods: [], of: [], maps: {}, refused: {} };
  const maps = mapsOf(asked, ask);
  const [frames, rows, columns] = scene.grid;
  const asFilmed = Array.from({ length: frames }, (_, i) => i);
  const state = {
    word: scene.chosen.word,
    hovered: /** @type {number | null} */ (null),
    patch: /** @type {number | null} */ (null),
    look: scene.chosen.look,
    head: scene.chosen.head,
    method: /** @type {string | null} */ (null), // null: attention, at look and head
    of: asked.of[0],
    statistic: 0,
    square: false,
    each: false,
    order: asFilmed,
    masked: /** @type {number | null} */ (null),
  };
  /** The word that a map is asked of, or null for the match.
   * @param {number} word */
  const about = (word) => (state.of === "word" ? word : null);
  /** A word that is pointed at shows its map if that is here; asking the model takes a click. */
  const shownWord = () => {
    const there = state.hovered !== null && (!state.method || maps.get(state.method, about(state.hovered)));
    return there ? Number(state.hovered) : state.word;
  };
  const mapNow = () => (state.method ? maps.get(state.method, about(shownWord())) : null);
  /** What lies on the frames: null while a method's map is not here.
   * @returns {{heat: Float32Array, tops: number[], signed: boolean, colours: Uint8ClampedArray} | null} */
  function overNow() {
    const map = mapNow();
    if (state.method && !map) return null;
    const heat = map ? Float32Array.from(map.heat) : heatOf(scene, numbers, state.look, state.head, shownWord());
    const sides = Boolean(map && map.signed);
    const even = sides ? 0 : scene.even;
    const size = rows * columns;
    const whole = topOf(heat, even);
    const tops = asFilmed.map((f) => (state.each ? topOf(heat.subarray(f * size, (f + 1) * size), even) : whole));
    return { heat, tops, signed: sides, colours: sides ? numbers.sides : numbers.heat };
  }

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
        wantMap();
        report();
      },
      mask: (word) => fill(state.masked === word ? null : word),
    },
    Boolean(ask && scene.can.fill),
  );
  const film = strip(scene, numbers.heat, {
    hover: (patch) => {
      state.patch = patch;
      paintWords();
      paintFrames();
    },
    move: ask && scene.can.match ? (from, to) => reorder(moved(state.order, from, to)) : null,
  });
  const bar = colourBar();
  const lay = layer(scene);
  const playing = player(scene, (slot, image, canvas) => {
    const context = canvas.getContext("2d");
    const over = overNow();
    const size = rows * columns;
    if (context) lay(context, image, over && { ...over, top: over.tops[slot], heat: over.heat.subarray(slot * size, (slot + 1) * size) });
  });
  const grid = heads(scene, numbers, {
    pick: (look, head) => choose({ look, head, method: null }),
  });
  const choice = h("select", { "aria-label": "layer or method" });
  function offer() {
    const looks = scene.looks.map((look, i) => h("option", { value: String(i), textContent: look.method ? `${look.site} (all layers)` : look.site }));
    const methods = asked.methods.map(({ name, tip }) => {
      const why = maps.why(name);
      const text = why ? `${name} (${why.short})` : name;
      return h("option", { value: `method ${name}`, textContent: text, title: why ? why.long : tip, disabled: Boolean(why) });
    });
    choice.replaceChildren(
      h("optgroup", { label: "attention: where does a layer read from?" }, ...looks),
      ...(methods.length ? [h("optgroup", { label: "methods: why does the model say so?" }, ...methods)] : []),
    );
    choice.value = state.method ? `method ${state.method}` : String(state.look);
  }
  choice.addEventListener("change", () => {
    const method = choice.value.startsWith("method ") ? choice.value.slice(7) : null;
    const look = method ? state.look : Number(choice.value);
    choose({ method, look, head: method ? state.head : scene.looks[look].heads > 1 ? -1 : 0 });
  });
  const names = /** @type {Record<string, string>} */ ({ word: "this word, hidden", match: "the match" });
  const target = h("select", { "aria-label": "what is to be explained" }, ...asked.of.map((of) => h("option", { value: of, textContent: names[of] })));
  const targeted = h("label", { hidden: true }, "of ", target);
  target.addEventListener("change", () => {
    state.of = target.value;
    choose({});
  });
  const whole = square(numbers.marks);
  const rowsButton = h("button", {
    type: "button",
    textContent: ask ? "all rows" : "all rows (needs Python)",
    title: "The attention of all tokens at this layer and head, not only that of words.",
    disabled: !ask,
  });
  rowsButton.addEventListener("click", () => {
    state.square = !state.square;
    wantSquare();
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
    paintWord();
  });
  const answers = h("div", { className: "vtx-answers" });
  const score = h("p", { className: "vtx-score", role: "status", "aria-live": "polite" });

  // ── painting ──
  function paintFrames() {
    const over = overNow();
    const asIs = state.order.every((x, i) => x === i);
    // Heat belongs to the frames as filmed: in another order it would be a guess, so it is left out.
    const shown = asIs ? over : null;
    const top = (/** @type {number} */ f) => (over ? over.tops[f] : 1);
    const shares = over ? Array.from(byFrame(scene, over.heat)) : asFilmed.map(() => 0);
    const total = shares.reduce((a, b) => a + Math.abs(b), 0) || 1;
    const said = asFilmed.map((i) => `frame ${i + 1}${shown ? `: ${percent(shares[i] / total)} of ${state.method ? "the map" : `the attention of '${scene.words[shownWord()]}'`}` : ""}`);
    film.show(state.order, shown && shown.heat, top, shown && !state.method ? state.patch : null, scene.named[shownWord()], said, over && over.signed ? numbers.sides : null);
    saying.textContent = asIs ? sayNow() : `Frames in the order ${state.order.map((x) => x + 1).join(" ")} (${orderName(state.order)}); what is shown on them holds for the clip as filmed.`;
    bar.element.hidden = !shown;
    if (!shown) return;
    const most = state.each ? "its top" : percent(shown.tops[0]);
    const each = state.each ? `a scale for each frame, whose tops are ${shown.tops.map(percent).join(", ")}` : "one scale for all frames";
    bar.show({
      colours: shown.colours,
      ends: shown.signed ? [`−${most} against`, "0", `for +${most}`] : ["0", most],
      unit: state.method ? "of the whole map, on one patch" : `of the attention of '${scene.words[shownWord()]}', on one patch`,
      scale: each,
    });
  }
  /** What the frames show, in words. */
  function sayNow() {
    if (!state.method) {
      const look = scene.looks[state.look];
      const head = look.method ? "all layers" : state.head < 0 ? "mean of heads" : `head ${state.head}`;
      const heat = heatOf(scene, numbers, state.look, state.head, shownWord());
      return `${say(scene, heat, shownWord())}. ${look.site}, ${head}.`;
    }
    const map = mapNow();
    if (map) return `What speaks for ${map.what} = ${precise(map.value)}? ${map.said} (${map.how}; words are coloured by what each has to do with it.)`;
    if (ask) return "";
    const there = maps.there(state.method).map((name) => (name === "match" ? "the match" : `'${scene.words[Number(name)]}'`));
    const mine = state.of === "word" ? `'${scene.words[shownWord()]}'` : "the match";
    return `Before this page was saved, ${state.method} was asked of ${there.join(", ")}, not of ${mine}.`;
  }
  /** Words are coloured by what they give to the patch that is pointed at, or have to do with what is explained. */
  function paintWords() {
    const map = mapNow();
    if (map) words.light(map.words.map((x) => x ?? NaN), map.signed ? numbers.sides : numbers.marks, map.signed);
    else if (state.patch === null || state.method) words.light(null, numbers.marks);
    else words.light(wordsOf(scene, numbers, state.look, state.head, state.patch), numbers.marks);
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
    tip.textContent = `${statistic.tip}${chance === null ? "" : ` An even map has ${percent(chance)}.`} Small pictures: a scale of its own for each head.`;
  }
  function paintWord() {
    words.show(state.word, shownWord(), state.masked);
    paintWords();
    paintFrames();
    playing.show();
  }
  function paintChoice() {
    paintWord();
    grid.press(state.method ? { look: -1, head: 0 } : state);
    targeted.hidden = !state.method || asked.of.length < 2;
  }
  function paintAll() {
    paintChoice();
    paintHeads();
  }
  function report() {
    const look = scene.looks[state.look];
    const { word, order, method, of } = state;
    tell({ word, site: look.site, head: state.head < 0 ? null : state.head, method, of, order, text: scene.text });
  }
  /** @param {{look?: number, head?: number, method?: string | null}} what */
  function choose(what) {
    Object.assign(state, what);
    offer();
    paintChoice();
    wantMap();
    wantSquare();
    report();
  }

  // ── questions to Python ──
  let latest = 0;
  /** Something is on its way: say so, then use it, unless something newer was asked for.
   * @template T
   * @param {Promise<T>} coming @param {(found: T) => void} use */
  async function wait(coming, use) {
    const mine = ++latest;
    status.textContent = "asking the model …";
    try {
      const found = await coming;
      if (mine !== latest) return;
      status.textContent = "";
      use(found);
    } catch (error) {
      if (mine === latest) status.textContent = String(error instanceof Error ? error.message : error);
    }
  }
  /** @param {object} what @param {(answer: any, buffers: ArrayBuffer[]) => void} use */
  function question(what, use) {
    if (ask) wait(ask(what), ({ answer, buffers }) => use(answer, buffers));
  }
  function wantMap() {
    const { method } = state;
    if (!ask || !method || maps.get(method, about(state.word))) return;
    const coming = maps.want(method, about(state.word)).then((map) => {
      offer(); // a method may turn out not to be for this model
      paintWord(); // whatever else was asked meanwhile
      return map;
    });
    wait(coming, (map) => {
      if (!map) status.textContent = maps.why(method)?.long ?? "";
    });
  }
  function wantSquare() {
    rowsButton.setAttribute("aria-pressed", String(state.square));
    if (!state.square) return whole.hide();
    const head = state.head < 0 || scene.looks[state.look].method ? null : state.head;
    if (!state.method) question({ ask: "square", site: scene.looks[state.look].site, head }, (said, buffers) => whole.show(said, buffers[0]));
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
    ? [
        h("div", { className: "vtx-row" }, h("label", {}, "layer or method ", choice), targeted),
        h("div", { className: "vtx-row" }, h("label", {}, "heads by ", measure), rowsButton),
        grid.element,
        tip,
        whole.element,
      ]
    : [];
  const right = [answers, ...(shows("player") ? [playing.element] : [])];
  root.replaceChildren(
    h(
      "section",
      { className: "vtx-bench", "aria-label": `${scene.model} looks at ${scene.clip}` },
      words.element,
      film.element,
      bar.element,
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
        h("ul", {}, ...[HELP, ...scene.notes, ...Object.entries(asked.refused).map(([name, why]) => `${name}: ${why}`)].map((note) => h("li", { textContent: note }))),
      ),
      h("p", { className: "vtx-origin", textContent: `${scene.origin}${ask ? "" : " · without Python: what needs the model is switched off"}` }),
    ),
  );
  offer();
  film.ready.then(paintAll);
  paintAll();
  return { state };
}

let made = 0;
