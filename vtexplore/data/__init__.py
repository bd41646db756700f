"""A file becomes a Batch: read a video, split a text, and cut both to what a family wants to see.

Read in this order: ``video`` (a file becomes a Clip) → ``opening`` (what is known of a file once it is
opened) → ``damage`` (is it all there?) → ``decoding`` (exact frames, by PyAV) → ``quick`` (decord, where
it is safe) → ``audio`` → ``arrays`` (clips from memory) → ``text`` (words become pieces) → ``prepare``
(Clip + text + Inputs → Batch) → ``outside`` (a notice for clips from another world).
"""
