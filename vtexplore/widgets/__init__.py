"""Results that answer back: a word clicked, a frame dragged, and the model is asked again.

kit.mjs        pure functions: numbers to colours, sentences and orders     no document, runs in node
parts.mjs      what one sees and touches: words, frames, heads, bars        builds elements, asks nobody
explorer.mjs   the bench: parts tied together, and the questions that go to Python
explorer.css   its looks, in light and dark
bench.py       the other end: what there is to see, and the answers         no browser, no widget library
explorer.py    the two joined, for notebooks                                page.py, for a file of its own

No bundler and no framework: the modules stand beside their Python, and ``explorer.py`` joins them at import.
"""
