"""Experiments whose trials are calls of a Python function: a driver for each, its workers, few and large writes."""
