"""The frame and the pictures in which untrusted content is shown, from the content host."""
