"""What trials have found, as figures: pure functions, a file for each kind. `axes` is how parameters become numbers."""
