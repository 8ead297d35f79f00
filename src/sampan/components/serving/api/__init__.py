"""Kinds, defaults and validation, and the contracts between serving's parts; no I/O."""
