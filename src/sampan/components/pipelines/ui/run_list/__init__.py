"""The list of runs: `page` puts it together; `query`, `rows` and `views` are pure; `bulk` acts on many at once."""
