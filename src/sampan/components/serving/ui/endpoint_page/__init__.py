"""The page of one endpoint, of whichever kind: `page` puts together its head and its tabs."""
