"""Benchmarks: the engine beside git, on the same stack, in the same run. Not part of the tests."""
