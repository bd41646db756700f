"""VideoBERT: neither weights nor code were published."""

from vtexplore.models.videobert import FAMILY
from vtexplore.published.layout import Published

PUBLISHED = Published("videobert", FAMILY.title, files=())
