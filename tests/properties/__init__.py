"""Rules that hold for all input, and hypothesis looking for input that breaks them."""
