"""The form for an endpoint: `page` puts it together; `building`, `reading` and `checks` are pure."""
