"""What the authors publish: a file a family or backbone, ``PUBLISHED``, read by ``registry.published``."""
