"""The way into every endpoint: routes, pods, and the connections between clients and them."""
