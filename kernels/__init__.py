"""GPU operations, each beside its float32 reference."""
