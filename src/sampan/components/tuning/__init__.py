"""Hyperparameter tuning and neural architecture search, with Katib's API. README.md says what is where."""
