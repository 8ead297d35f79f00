"""The kinds of training: names, definitions, defaults, validation, and how a job of any kind is summed up. No I/O."""
