"""Small controls for the bars above lists."""
