"""The HTTP toolkit: errors to JSON, request guards (Host, Origin, size), paging. Knows no component."""
