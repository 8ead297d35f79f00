"""Keeps what SeldonDeployments want, and says in their status how it is.

reconciler   one SeldonDeployment from its spec to its status
models       models' files brought to its containers
"""
