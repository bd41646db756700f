"""Shared parts of the papers; each takes and gives tensors or Streams, and every attention has a tap."""
