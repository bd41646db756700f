"""A file becomes a Batch: read a video, split a text, and cut both to what a family wants to see."""
