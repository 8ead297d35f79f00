"""The list of experiments: `query` and `rows` are pure."""
