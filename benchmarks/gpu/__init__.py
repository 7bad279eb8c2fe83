"""One command that proves and measures the GPU path: `python -m stylecam.benchmarks.gpu`."""
