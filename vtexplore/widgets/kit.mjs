// @ts-check
/**
 * Pure functions: no document, no window. What Python sends, and what is said and coloured by it.
 *
 * @typedef {{site: string, heads: number, first: number, method: boolean}} Look
 *   a layer, or a method that goes through all of them; `first` is the number of its first head's rows
 * @typedef {{name: string, tip: string, chance: (number | null)[] | null, share: boolean}} Statistic
 * @typedef {{
 *   words: string[], text: string, clip: string, model: string, origin: string, why: string, notes: string[],
 *   grid: [number, number, number], region: [number, number, number, number], size: [number, number],
 *   times_s: number[], frames: string[], film: string[], film_times_s: number[],
 *   looks: Look[], statistics: Statistic[], chosen: {look: number, head: number, word: number},
 *   objects: string[], named: number[][], outlines: string[][],
 *   show: string[], can: {fill: boolean, match: boolean}, score: number | null, even: number,
 *   asked?: import("./maps.mjs").Asked
 * }} Scene
 * @typedef {{
 *   rows: Uint8Array, tops: Float32Array, statistics: Float32Array,
 *   heat: Uint8ClampedArray, marks: Uint8ClampedArray, sides: Uint8ClampedArray
 * }} Numbers
 *   rows [look · head, word, patch] of 255ths of tops [look · head, word]; statistics [statistic, look · head, word];
 *   heat, marks and sides: rgba of 256 steps, for patches on a picture, for statistics, and for maps of −1..1
 */

/** Numbers that came as one stretch of bytes, cut up as the scene says; the parts share its memory.
 * @param {Scene} scene @param {ArrayBuffer} bytes @returns {Numbers} */
export function numbersOf(scene, bytes) {
  const heads = scene.looks.reduce((sum, look) => sum + look.heads, 0);
  const lines = heads * scene.words.length;
  let at = 0;
  /** @param {number} length */
  const next = (length) => {
    const start = at;
    at += length;
    return start;
  };
  return {
    tops: new Float32Array(bytes, next(4 * lines), lines),
    statistics: new Float32Array(bytes, next(4 * lines * scene.statistics.length), lines * scene.statistics.length),
    heat: new Uint8ClampedArray(bytes, next(1024), 1024),
    marks: new Uint8ClampedArray(bytes, next(1024), 1024),
    sides: new Uint8ClampedArray(bytes, next(1024), 1024),
    rows: new Uint8Array(bytes, next(lines * patches(scene)), lines * patches(scene)),
  };
}

/** How many patches all frames have.
 * @param {Scene} scene */
export function patches(scene) {
  return scene.grid[0] * scene.grid[1] * scene.grid[2];
}

/** What a word looks at: weight [patch] at one head of a look, or their mean (head −1).
 * @param {Scene} scene @param {Numbers} numbers @param {number} look @param {number} head @param {number} word */
export function heatOf(scene, numbers, look, head, word) {
  const count = patches(scene);
  const out = new Float32Array(count);
  const { first, heads } = scene.looks[look];
  const some = head < 0 ? Array.from({ length: heads }, (_, i) => first + i) : [first + head];
  for (const row of some) {
    const line = row * scene.words.length + word;
    const unit = numbers.tops[line] / 255 / some.length;
    for (let i = 0, at = line * count; i < count; i++, at++) out[i] += numbers.rows[at] * unit;
  }
  return out;
}

/** What each word gives to one patch: weight [word].
 * @param {Scene} scene @param {Numbers} numbers @param {number} look @param {number} head @param {number} patch */
export function wordsOf(scene, numbers, look, head, patch) {
  return Float32Array.from(scene.words, (_, word) => heatOf(scene, numbers, look, head, word)[patch]);
}

/** A statistic of one head for a word, or its mean over heads (head −1); NaN where there is none.
 * @param {Scene} scene @param {Numbers} numbers @param {number} statistic @param {number} look
 * @param {number} head @param {number} word */
export function statisticOf(scene, numbers, statistic, look, head, word) {
  const { first, heads } = scene.looks[look];
  const lines = numbers.tops.length;
  const some = head < 0 ? Array.from({ length: heads }, (_, i) => first + i) : [first + head];
  const sum = some.reduce((total, row) => total + numbers.statistics[statistic * lines + row * scene.words.length + word], 0);
  return sum / some.length;
}

/** The weight that is shown brightest: the largest, or `even` times the mean if that is more; of a map of two sides,
 * the largest of either (`even` = 0).
 * @param {ArrayLike<number>} heat @param {number} even */
export function topOf(heat, even) {
  let most = 0;
  let sum = 0;
  for (let i = 0; i < heat.length; i++) {
    most = Math.max(most, Math.abs(heat[i]));
    sum += heat[i];
  }
  return Math.max(most, (even * sum) / Math.max(1, heat.length), 1e-12);
}

/** Heat as pixels: rgba of `heat.length` patches, each a step of `colours`, from 0 to `top`, or from −top if `signed`.
 * @param {ArrayLike<number>} heat @param {number} top @param {Uint8ClampedArray} colours
 * @param {Uint8ClampedArray} out @param {boolean} [signed] */
export function paint(heat, top, colours, out, signed = false) {
  for (let i = 0; i < heat.length; i++) {
    const share = signed ? (heat[i] / top + 1) / 2 : heat[i] / top;
    const step = 4 * Math.round(255 * Math.min(1, Math.max(0, share)));
    out[4 * i] = colours[step];
    out[4 * i + 1] = colours[step + 1];
    out[4 * i + 2] = colours[step + 2];
    out[4 * i + 3] = colours[step + 3];
  }
  return out;
}

/** The colour of a share of 0..1, as CSS.
 * @param {Uint8ClampedArray} colours @param {number} share */
export function css(colours, share) {
  const at = 4 * Math.round(255 * Math.min(1, Math.max(0, share)));
  return `rgb(${colours[at]} ${colours[at + 1]} ${colours[at + 2]})`;
}

/** Black or white, whichever reads better on a colour of the scale.
 * @param {Uint8ClampedArray} colours @param {number} share */
export function inkOn(colours, share) {
  const at = 4 * Math.round(255 * Math.min(1, Math.max(0, share)));
  return 0.299 * colours[at] + 0.587 * colours[at + 1] + 0.114 * colours[at + 2] > 140 ? "#000" : "#fff";
}

/** The sum over each frame [frame].
 * @param {Scene} scene @param {ArrayLike<number>} heat */
export function byFrame(scene, heat) {
  const [frames, rows, columns] = scene.grid;
  return Float32Array.from({ length: frames }, (_, frame) => {
    let sum = 0;
    for (let i = frame * rows * columns; i < (frame + 1) * rows * columns; i++) sum += heat[i];
    return sum;
  });
}

/** A share in words: "62 %", and "0.4 %" where it is small.
 * @param {number} share */
export function percent(share) {
  const value = 100 * share;
  return `${value > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0)} %`;
}

const ACROSS = ["left", "middle", "right"];
const DOWN = ["top", "middle", "bottom"];

/** Where a patch is: "top left", "in the middle".
 * @param {number} row @param {number} column @param {number} rows @param {number} columns */
export function place(row, column, rows, columns) {
  const down = DOWN[Math.min(2, Math.floor((3 * (row + 0.5)) / rows))];
  const across = ACROSS[Math.min(2, Math.floor((3 * (column + 0.5)) / columns))];
  if (rows === 1 && columns === 1) return "";
  if (down === "middle" && across === "middle") return "in the middle";
  return down === "middle" ? `middle ${across}` : `${down} ${across}`;
}

/** What a word's heat says, for those who do not see it: "attention of 'red': 62 % on frame 3, top left".
 * @param {Scene} scene @param {ArrayLike<number>} heat @param {number} word */
export function say(scene, heat, word) {
  const frames = byFrame(scene, heat);
  const total = frames.reduce((sum, x) => sum + x, 0);
  if (!(total > 0)) return `attention of '${scene.words[word]}': none on the video`;
  const frame = frames.indexOf(Math.max(...frames));
  const [, rows, columns] = scene.grid;
  let best = frame * rows * columns;
  for (let i = best; i < (frame + 1) * rows * columns; i++) if (heat[i] > heat[best]) best = i;
  const at = best - frame * rows * columns;
  const where = place(Math.floor(at / columns), at % columns, rows, columns);
  return `attention of '${scene.words[word]}': ${percent(frames[frame] / total)} on frame ${frame + 1}${where && `, ${where}`}`;
}

/** How much tokens of a kind give to each kind, as means over those that look: ["video", "video", 0.8] …
 * @param {boolean[]} rows whether each row is video @param {boolean[]} columns @param {ArrayLike<number>} weights [row, column]
 * @returns {[string, string, number][]} */
export function kinds(rows, columns, weights) {
  const name = (/** @type {boolean} */ video) => (video ? "video" : "text");
  /** @type {[string, string, number][]} */
  const out = [];
  for (const a of [true, false]) {
    const looking = rows.flatMap((video, i) => (video === a ? [i] : []));
    for (const b of [true, false]) {
      const seen = columns.flatMap((video, i) => (video === b ? [i] : []));
      if (!looking.length || !seen.length) continue;
      let sum = 0;
      for (const i of looking) for (const j of seen) sum += weights[i * columns.length + j];
      out.push([name(a), name(b), sum / looking.length]);
    }
  }
  return out;
}

// ── orders ────────────────────────────────────────────────────────────────────────────────────────

/** An order with the item at one place moved to another.
 * @param {number[]} order @param {number} from @param {number} to */
export function moved(order, from, to) {
  const out = order.slice();
  const [item] = out.splice(from, 1);
  out.splice(Math.max(0, Math.min(out.length, to)), 0, item);
  return out;
}

/** Another order than the given one, if there is any.
 * @param {number[]} order @param {() => number} random 0..1 */
export function shuffled(order, random) {
  if (new Set(order).size < 2) return order.slice();
  for (;;) {
    const out = order.slice();
    for (let i = out.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [out[i], out[j]] = [out[j], out[i]];
    }
    if (out.some((x, i) => x !== order[i])) return out;
  }
}

/** Pairs that stand as they should, as a share: 1 = all in order, 0 = reversed.
 * @param {number[]} order */
export function inOrder(order) {
  let right = 0;
  let pairs = 0;
  for (let i = 0; i < order.length; i++) {
    for (let j = i + 1; j < order.length; j++) {
      pairs += 1;
      right += order[i] < order[j] ? 1 : order[i] === order[j] ? 0.5 : 0;
    }
  }
  return pairs ? right / pairs : 1;
}

/** An order in words: "3 1 2 4", "as filmed", "backwards".
 * @param {number[]} order */
export function orderName(order) {
  if (order.every((x, i) => x === i)) return "as filmed";
  if (order.every((x, i) => x === order.length - 1 - i)) return "backwards";
  if (new Set(order).size === 1) return `frame ${order[0] + 1} alone`;
  return order.map((x) => x + 1).join(" ");
}

/** A number with its sign: "+0.42", "−1.30".
 * @param {number} x */
export function signed(x) {
  return `${x < 0 ? "−" : "+"}${Math.abs(x).toFixed(2)}`;
}

/** A number with its sign, to three digits that say something: "−0.00512", "+12.3".
 * @param {number} x */
export function precise(x) {
  return `${x < 0 ? "−" : "+"}${Number(Math.abs(x).toPrecision(3))}`;
}
