"""Benchmarks. Each prints ratios measured side by side in one run; nothing imports this room."""
