"""A search for bytes that the engine does not stand: a test, and `python -m tests.fuzz`."""
