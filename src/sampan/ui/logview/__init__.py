"""The log viewer: what programs print, shown as a terminal would, however much of it there is.

`logview` is what pages use. `book` keeps a log on disk as it comes, `terminal` reads what it says; neither knows pages.
"""
