"""The composition root: settings, the list of doors, and the order in which everything starts.

Only here are parts built and handed to each other; heavy ones load when they are first needed.
"""
