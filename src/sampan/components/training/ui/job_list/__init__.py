"""The list of jobs: `page` puts it together; `query` and `rows` are pure; `bulk` acts on many at once."""
