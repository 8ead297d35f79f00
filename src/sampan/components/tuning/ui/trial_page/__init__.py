"""The page of a trial: its head and its parts."""
