"""Bytes and rows: SQL sessions with one writer, schema migrations, artifact stores.

Knows no Kubernetes and no component: tables belong to whoever fills them.
"""
