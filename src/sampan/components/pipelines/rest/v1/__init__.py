"""API v1beta1: the same pipelines, runs and experiments under their older names and shapes.

`endpoints` is the table of its paths, `references` reads what v1 says instead of ids and namespaces, `render` writes
the messages. Nothing is stored here that v2beta1 does not see: what a service does is next door, in `rest`.
"""
