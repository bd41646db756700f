"""How each family's miniature is pretrained: ``<name>.py`` holds its ``PRETRAINING``."""
