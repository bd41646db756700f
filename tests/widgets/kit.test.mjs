// The pure functions of the widgets, by `node --test`.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as kit from "../../vtexplore/widgets/kit.mjs";
import { mapsOf } from "../../vtexplore/widgets/maps.mjs";

const scene = {
  words: ["red", "disc"],
  grid: [2, 2, 2],
  looks: [{ site: "a", heads: 2, first: 0, method: false }, { site: "rollout", heads: 1, first: 2, method: true }],
  statistics: [{ name: "s", tip: "", chance: null, share: true }],
};

function bytes() {
  const lines = 6;
  const tops = Float32Array.from([0.5, 1, 0.25, 0, 1, 1]);
  const statistics = Float32Array.from([1, 2, 3, 4, 5, NaN]);
  const rows = new Uint8Array(lines * 8);
  rows.set([255, 0, 0, 0, 0, 0, 0, 51], 0); // head 0, "red"
  rows.set([0, 255, 0, 0, 0, 0, 0, 0], 16); // head 1, "red"
  const out = new Uint8Array(4 * lines * 2 + 3072 + rows.length);
  out.set(new Uint8Array(tops.buffer), 0);
  out.set(new Uint8Array(statistics.buffer), 4 * lines);
  for (let i = 0; i < 1024; i++) out[8 * lines + i] = out[8 * lines + 1024 + i] = i % 4 === 3 ? 255 : Math.floor(i / 4);
  out.set(rows, 8 * lines + 3072);
  return out.buffer;
}

test("rows come back as 255ths of their top, heads as their mean", () => {
  const numbers = kit.numbersOf(scene, bytes());
  assert.deepEqual([...kit.heatOf(scene, numbers, 0, 0, 0)].map((x) => +x.toFixed(6)), [0.5, 0, 0, 0, 0, 0, 0, 0.1]);
  assert.deepEqual([...kit.heatOf(scene, numbers, 0, -1, 0)].map((x) => +x.toFixed(6)), [0.25, 0.125, 0, 0, 0, 0, 0, 0.05]);
  assert.deepEqual([...kit.wordsOf(scene, numbers, 0, 0, 7)].map((x) => +x.toFixed(6)), [0.1, 0]);
});

test("a statistic belongs to a head and a word; of all heads it is the mean", () => {
  const numbers = kit.numbersOf(scene, bytes());
  assert.equal(kit.statisticOf(scene, numbers, 0, 0, 1, 0), 3);
  assert.equal(kit.statisticOf(scene, numbers, 0, 0, -1, 0), 2);
  assert.ok(Number.isNaN(kit.statisticOf(scene, numbers, 0, 1, 0, 1)));
});

test("heat becomes colours, the top and beyond the last of them", () => {
  const numbers = kit.numbersOf(scene, bytes());
  const out = kit.paint([0, 0.5, 1, 7], 1, numbers.heat, new Uint8ClampedArray(16));
  assert.deepEqual([out[0], out[4], out[8], out[12], out[3]], [0, 128, 255, 255, 255]);
  assert.equal(kit.topOf([0, 0, 0, 0], 3) > 0, true);
  assert.equal(kit.topOf([1, 1, 1, 1], 3), 3); // everywhere alike stays dim
  assert.equal(kit.css(numbers.marks, 1), "rgb(255 255 255)");
  assert.equal(kit.inkOn(numbers.marks, 1), "#000");
  assert.equal(kit.inkOn(numbers.marks, 0), "#fff");
});

test("a map of two sides has its 0 in the middle of the scale", () => {
  const { sides } = kit.numbersOf(scene, bytes());
  const grey = Uint8ClampedArray.from({ length: 1024 }, (_, i) => Math.floor(i / 4));
  const out = kit.paint([-2, 0, 2], 2, grey, new Uint8ClampedArray(12), true);
  assert.deepEqual([out[0], out[4], out[8], sides.length], [0, 128, 255, 1024]);
  assert.equal(kit.topOf([-3, 1, 1], 0), 3);
});

test("what kinds of tokens give to each other sums to 1 in each row", () => {
  const found = kit.kinds([true, false, true], [true, false, true], [0.2, 0.5, 0.3, 1, 0, 0, 0.6, 0.2, 0.2]);
  assert.deepEqual(found.map(([a, b, share]) => [a, b, +share.toFixed(6)]), [
    ["video", "video", 0.65],
    ["video", "text", 0.35],
    ["text", "video", 1],
    ["text", "text", 0],
  ]);
});

test("a map is asked for once, and a method that is refused is not asked for again", async () => {
  const asked = [];
  const ask = async (what) => {
    asked.push(`${what.method} ${what.word}`);
    return { answer: what.method === "no" ? { refused: "it has no gradients" } : { what: "ln p" } };
  };
  const maps = mapsOf({ methods: [], of: ["word"], maps: { "was/1": { what: "old" } }, refused: {} }, ask);
  const [one, two] = await Promise.all([maps.want("yes", 0), maps.want("yes", 0)]);
  assert.ok(one === two && one === maps.get("yes", 0) && maps.get("yes", 1) === null);
  assert.equal((await maps.want("was", 1)).what, "old");
  assert.equal(await maps.want("no", 0), null);
  assert.equal(await maps.want("no", 1), null);
  assert.equal(maps.why("no").long, "it has no gradients");
  await maps.want("yes", null);
  assert.deepEqual(asked, ["yes 0", "no 0", "yes null"]);
  assert.deepEqual(maps.there("yes"), ["0", "match"]);
  const saved = mapsOf({ methods: [], of: ["word"], maps: { "was/1": { what: "old" } }, refused: {} }, null);
  assert.ok(saved.why("was") === null && saved.why("yes").short.startsWith("not asked for"));
});

test("what is seen is said", () => {
  const heat = [0, 0, 0, 0, 0.6, 0.1, 0.1, 0.2];
  assert.equal(kit.say({ ...scene }, heat, 0), "attention of 'red': 100 % on frame 2, top left");
  assert.equal(kit.say(scene, new Float32Array(8), 1), "attention of 'disc': none on the video");
  assert.equal(kit.place(1, 1, 3, 3), "in the middle");
  assert.equal(kit.place(1, 2, 3, 3), "middle right");
  assert.equal(kit.place(0, 0, 1, 1), "");
  assert.equal(kit.percent(0.00432), "0.4 %");
  assert.equal(kit.percent(0.621), "62 %");
  assert.equal(kit.percent(0), "0 %");
  assert.equal(kit.signed(-1.3), "−1.30");
  assert.equal(kit.precise(-0.005123), "−0.00512");
  assert.equal(kit.precise(12.345), "+12.3");
});

test("orders are moved, shuffled, measured and named", () => {
  assert.deepEqual(kit.moved([0, 1, 2, 3], 0, 2), [1, 2, 0, 3]);
  assert.deepEqual(kit.moved([0, 1, 2], 2, 0), [2, 0, 1]);
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let i = 0; i < 50; i++) {
    const order = kit.shuffled([0, 1, 2], random);
    assert.deepEqual(order.slice().sort(), [0, 1, 2]);
    assert.notDeepEqual(order, [0, 1, 2]);
  }
  assert.deepEqual(kit.shuffled([2, 2], random), [2, 2]);
  assert.equal(kit.inOrder([0, 1, 2]), 1);
  assert.equal(kit.inOrder([2, 1, 0]), 0);
  assert.equal(kit.inOrder([1, 1]), 0.5);
  assert.equal(kit.orderName([0, 1]), "as filmed");
  assert.equal(kit.orderName([1, 0]), "backwards");
  assert.equal(kit.orderName([1, 1, 1]), "frame 2 alone");
  assert.equal(kit.orderName([1, 0, 2]), "2 1 3");
});
