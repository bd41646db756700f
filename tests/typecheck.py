"""How annotations are checked under pytest: by beartype, with the usual tower of numbers."""

from beartype import BeartypeConf, beartype

# PEP 484: where a float is wanted an int will do. Without this every 0 for 0.0 in the data would be an error.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
