"""Early stopping: which trials are not worth going on with. Asked by the suggestion controller for rules, and by
whoever reads metrics for decisions. Pure and light: no NumPy, no Optuna, for these run in the server."""
