"""The page that compares up to ten runs.

`model` reads the API's answers, `rows`, `figures` and `spreadsheet` say what is shown of them (all pure), `page` and
its parts show it.
"""
