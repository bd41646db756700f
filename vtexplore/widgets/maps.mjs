// @ts-check
/** Maps of methods: those that came along, and those that Python is asked for, each once. No document.
 *
 * @typedef {{
 *   what: string, value: number, how: string, said: string, signed: boolean, heat: number[], words: (number | null)[], notes: string[]
 * }} MethodMap  `heat` [patch]: shares whose sizes sum to 1, below 0 against; `words` [word] in the method's own unit
 * @typedef {{
 *   methods: {name: string, tip: string}[], of: string[], maps: Record<string, MethodMap>, refused: Record<string, string>
 * }} Asked  `of`: "word", "match"; maps by "method/word", "method/match"; `refused`: what the model does not bear, and why
 */

/** @param {Asked} asked @param {((what: object) => Promise<{answer: any}>) | null} ask null: nobody is there */
export function mapsOf(asked, ask) {
  const found = new Map(Object.entries(asked.maps));
  const refused = new Map(Object.entries(asked.refused));
  /** @type {Map<string, Promise<MethodMap | null>>} */
  const waiting = new Map();
  /** @param {string} method @param {number | null} word null: the matching score */
  const key = (method, word) => `${method}/${word ?? "match"}`;
  const there = (/** @type {string} */ method) => [...found.keys()].filter((name) => name.startsWith(`${method}/`)).map((name) => name.slice(method.length + 1));
  return {
    /** @param {string} method @param {number | null} word */
    get: (method, word) => found.get(key(method, word)) ?? null,
    /** Of which words ("match": of the score) a method's map is here. */
    there,
    /** Why a method cannot be chosen, in few words and in all; null if it can.
     * @param {string} method */
    why(method) {
      const no = refused.get(method);
      if (no) return { short: "not for this model", long: no };
      const unasked = "not asked for before this page was saved";
      return ask || there(method).length ? null : { short: unasked, long: unasked };
    },
    /** A map, asked for if it is not here yet; null if the model does not bear the method.
     * @param {string} method @param {number | null} word @returns {Promise<MethodMap | null>} */
    want(method, word) {
      const name = key(method, word);
      if (found.has(name)) return Promise.resolve(found.get(name) ?? null);
      if (refused.has(method) || !ask) return Promise.resolve(null);
      const already = waiting.get(name);
      if (already) return already;
      const coming = ask({ ask: "explain", method, word })
        .then(({ answer }) => {
          if (answer.refused) refused.set(method, answer.refused);
          else found.set(name, answer);
          return found.get(name) ?? null;
        })
        .finally(() => waiting.delete(name));
      waiting.set(name, coming);
      return coming;
    },
  };
}
