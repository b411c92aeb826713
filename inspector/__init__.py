"""A terminal inspector for git's reftable stacks, and the same verbs as a plain command line.

Nothing in this package opens, reads or writes a file of a stack: it asks `engine` for everything, and turns
the bytes it gets into text for people (`safe_text`), lines for scripts (`output`) and screens (`app`).
"""
