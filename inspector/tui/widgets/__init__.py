"""The parts of the screens. None of them reads a stack: they are given rows and facts to draw."""
