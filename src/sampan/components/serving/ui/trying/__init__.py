"""Asking an endpoint from its page: `asker` does it in the browser; `requests` and `protocols` are pure."""
