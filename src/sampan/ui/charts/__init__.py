"""Charts: pure functions that say what is drawn (`cartesian`, `parallel`, `heat_map`), and the element that draws it.

ECharts comes with NiceGUI and is loaded by a page's first chart only. Colours are names of tokens, resolved in the
browser, so that a chart follows the theme; every series differs in symbol or dashes too, and each chart can be read as
a table. Names are users' texts: the element draws them as text, tooltips included.
"""
