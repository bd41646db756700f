// @ts-check
/** A question with choices: choose yourself, then see what the model chooses, and what in the frames speaks for what. */

import { heatOf, numbersOf, percent, say, signed, topOf } from "./kit.mjs";
import { h, roving, strip } from "./parts.mjs";

/**
 * @typedef {import("./kit.mjs").Scene & {
 *   question: string, phrase: string, right: number | null, conditions: string[], scores: number[][], p: number[][]
 * }} Card  `words`: the choices, and before them "the question"; `looks`: one, whose rows are their maps
 * @param {HTMLElement} root @param {Card} scene @param {ArrayBuffer} bytes @param {unknown} _ nobody is asked
 * @param {(selection: object) => void} [tell] */
export function card(root, scene, bytes, _, tell = () => {}) {
  const numbers = numbersOf(scene, bytes);
  let mine = /** @type {number | null} */ (null);
  let shown = 0;
  const film = strip(scene, numbers.heat, { hover: () => {}, move: null });
  const told = h("p", { className: "vtx-saying" });
  const verdict = h("p", { className: "vtx-score", role: "status", "aria-live": "polite" });
  const table = h("div", { className: "vtx-predictions" });
  const choices = scene.words.map((word, i) => {
    const button = h("button", { type: "button", className: "vtx-word", textContent: i ? word : "the question's own look" });
    button.addEventListener("pointerenter", () => look(i));
    button.addEventListener("pointerleave", () => look(mine === null ? 0 : mine + 1));
    button.addEventListener("focus", () => look(i));
    button.addEventListener("click", () => {
      if (i) choose(i - 1);
      else look(0);
    });
    return button;
  });
  /** @param {number} row */
  function look(row) {
    shown = row;
    choices.forEach((button, i) => button.classList.toggle("vtx-shown", i === row));
    const hidden = mine === null && row > 0;
    const heat = heatOf(scene, numbers, 0, 0, row);
    const top = topOf(heat, scene.even);
    const said = scene.frames.map((_, i) => `frame ${i + 1}`);
    film.show(scene.frames.map((_, i) => i), hidden ? null : heat, () => top, null, hidden ? [] : scene.named[row], said);
    told.textContent = hidden
      ? "Choose first; then each choice shows what in the frames speaks for it."
      : row
        ? `${say(scene, heat, row).replace("attention of", "what speaks for")}: gradient × attention, on a scale of its own.`
        : `${say(scene, heat, 0).replace("attention of 'the question'", "where the question looks")}, before any choice is read.`;
  }
  /** @param {number} choice */
  function choose(choice) {
    mine = choice;
    choices.forEach((button, i) => button.setAttribute("aria-pressed", String(i === choice + 1)));
    const first = scene.scores[0].indexOf(Math.max(...scene.scores[0]));
    const names = scene.words.slice(1);
    const judged = (/** @type {number} */ i) => (scene.right === null ? "" : i === scene.right ? " (right)" : " (wrong)");
    verdict.textContent = `You: ${names[choice]}${judged(choice)}. ${scene.model}: ${names[first]}${judged(first)}.`;
    const head = h("tr", {}, h("th", { textContent: "choice" }), ...scene.conditions.map((c) => h("th", { textContent: c, scope: "col" })));
    const lines = names.map((name, i) =>
      h(
        "tr",
        {},
        h("th", { textContent: i === scene.right ? `${name} ✓` : name, scope: "row" }),
        ...scene.p.map((p, c) =>
          h(
            "td",
            { title: `cosine ${signed(scene.scores[c][i])}` },
            h("span", { className: `vtx-bar vtx-bar-${Math.min(c, 3)}`, style: { width: `${3 * p[i]}em` }, "aria-hidden": "true" }),
            h("span", { className: "vtx-value", textContent: percent(p[i]) }),
          ),
        ),
      ),
    );
    table.replaceChildren(
      h("table", { "aria-label": "shares of the choices" }, h("thead", {}, head), h("tbody", {}, ...lines)),
      h("p", { className: "vtx-tip", textContent: "Shares compare choices within a column; a choice that wins without the clip was given away by the sentence or the choices." }),
    );
    look(choice + 1);
    tell({ choice, shown });
  }
  root.replaceChildren(
    h(
      "section",
      { className: "vtx-bench", "aria-label": `a question about ${scene.clip}` },
      h("p", { className: "vtx-task" }, "Which phrase was erased? ", h("strong", { textContent: scene.question })),
      film.element,
      roving(choices, "the choices"),
      told,
      verdict,
      table,
      h("details", { className: "vtx-notes" }, h("summary", { textContent: "what this cannot tell" }), h("ul", {}, ...scene.notes.map((n) => h("li", { textContent: n })))),
      h("p", { className: "vtx-origin", textContent: scene.origin }),
    ),
  );
  film.ready.then(() => look(0));
  look(0);
}
