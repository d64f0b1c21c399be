"""How long things take, and against what: `python -m benchmarks`."""
