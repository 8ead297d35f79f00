"""The reconcilers of training's kinds, and the hooks that check what is written. `parts` puts them together."""
