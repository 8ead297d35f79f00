"""Code and texts of many lines, to be read, and what differs between two of them: elements of our own."""
