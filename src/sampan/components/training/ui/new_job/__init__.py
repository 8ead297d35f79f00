"""The form for a new job: `wanted` is what it asks for; `script`, `building` and `reading` are pure."""
