"""Measurements anyone can re-run: engine, pipeline, and the rows they leave."""
