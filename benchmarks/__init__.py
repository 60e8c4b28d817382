"""Our speed against other libraries and against a bare loop: `python -m benchmarks`. docs: benchmarks/README.md."""
