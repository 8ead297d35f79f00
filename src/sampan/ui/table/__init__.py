"""Lists of things: one element of our own (`table.js`), to which rows go as plain data."""
