"""Trial templates in ConfigMaps: all of them, and the page of one, where it is written and changed."""
