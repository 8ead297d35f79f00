"""Sampan's own HTTP routes for training jobs, at `/training/v1`: merged logs, metrics. Loaded when first asked."""
