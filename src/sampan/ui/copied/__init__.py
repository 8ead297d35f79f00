"""A text that is there to be taken elsewhere, with a button that copies it."""
