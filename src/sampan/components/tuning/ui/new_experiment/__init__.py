"""The form for a new experiment: `wanted` is what it asks for; `program`, `building` and `reading` are pure."""
