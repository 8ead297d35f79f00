"""One module for each framework; each offers `load` (contract.Loader) and imports its framework inside it.

`choosing.load` takes the one that a model wants. Nothing else imports a framework, and no module here imports the
platform: they run in pods, in environments that hold one framework each.
"""
