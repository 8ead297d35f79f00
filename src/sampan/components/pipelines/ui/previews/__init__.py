"""Artifacts as they are looked at: `view.preview` for pages; the rest is pure and knows what files and records say.

kinds     what a file is, by its name, its first bytes and what its artifact says of itself
tables    rows of CSV, TSV and JSON lines
measures  metrics, ROC curves and confusion matrices in an artifact's metadata
legacy    the two files by which pipelines of v1 say what is to be shown
places    where files are read: paths of the API
"""
