"""What a user runs: sources, engines, sinks and the pipeline between them."""
