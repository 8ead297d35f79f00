"""The page of one job: `page` puts it together; `ranks`, `waiting`, `curves` and `usage` are pure."""
