"""The form that starts a run, once or again and again: generated from the inputs of what is to run."""
