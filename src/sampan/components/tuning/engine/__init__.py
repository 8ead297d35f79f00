"""What experiments become: suggestions, trials and status. Pure, save for the worker that runs the algorithms."""
