"""Objects to routes (`api.routing`), pure: a module for each kind."""
