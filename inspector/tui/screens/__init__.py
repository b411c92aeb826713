"""The screens of the inspector."""
