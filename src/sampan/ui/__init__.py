"""The dashboard's toolkit: what pages are declared with, how they reach the API, and the widgets they are made of.

Both the shell (`dashboard`) and the components' `ui` rooms build on it; it knows neither. NiceGUI is imported by its
modules, save for `contract` and what that one imports: doors are read before the dashboard has loaded.
"""
