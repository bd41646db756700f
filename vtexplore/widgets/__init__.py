"""Results that answer back: a word clicked, a frame dragged, and the model is asked again.

kit.mjs        pure functions: numbers to colours, sentences and orders     no document, runs in node
maps.mjs       maps of methods: those that are there, those to be asked     no document; _asked.py finds them
parts.mjs      what one sees and touches: words, frames, heads, bars        builds elements, asks nobody
square.mjs     who looks at whom, all tokens                                _asked.py
explorer.mjs   the bench: parts tied together, and questions to Python      bench.py answers
sorter.mjs     frames to be put in order                                    sorter.py
timeline.mjs   a clip in visual words                                       timeline.py
card.mjs       a question with choices                                      card.py
live.mjs       the door: messages to Python and back                        live.py, for notebooks
explorer.css   the looks of all, in light and dark                          page.py, for a file of its own

No bundler and no framework: modules stand beside their Python, and ``_joined.py`` makes one of them at import.
"""
