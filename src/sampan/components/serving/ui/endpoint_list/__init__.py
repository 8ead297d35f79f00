"""The list of endpoints: `page` puts it together; `query` and `rows` are pure."""
