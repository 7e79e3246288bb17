"""The benchmarks behind every figure in the documentation: `python -m bench NAME`."""
