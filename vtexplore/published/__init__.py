"""Weights that the authors of the papers publish: found or fetched, read without running anything, renamed, told.

    a name, a path, hub:owner/name ──▶ fetching.py ──▶ a file
    scanning.py      what kind of file it is, and what a pickle would do if it were run; it is not
    standins.py      what a pickle may name, and what stands for classes that are not here
    reading.py       a file becomes Contents: tensors by the names that the authors gave them
    layout.py        how a published file is arranged (a Layout), and where it lies (a File)
    filling.py       Contents become the weights of a model, with a Report of what was used, ignored and missing

Which files and layouts there are stands beside the pages, in ``models/published/``.
"""
