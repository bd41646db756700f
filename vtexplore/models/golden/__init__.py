"""Golden files, read: what the authors' code put out, computed here from the same weights and inputs.

One module for each, with ``golden(config, tensors) -> {name: tensor}``; the folder is the list.
"""
