"""The page of an experiment: its head, what it waits for, and its parts. `trial_rows` and `waiting` are pure."""
