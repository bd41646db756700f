"""What the papers train on, one file each: pure functions of tensors and a generator."""
