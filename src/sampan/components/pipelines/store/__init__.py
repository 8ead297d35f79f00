"""The SQL tables of pipelines, and the questions asked of them. Times are microseconds since the epoch, UTC."""
