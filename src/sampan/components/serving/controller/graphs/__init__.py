"""Keeps the router of each InferenceGraph, and says in its status how it is.

reconciler   one InferenceGraph from its spec to its status
services     what its steps name: InferenceServices and their runtimes
"""
