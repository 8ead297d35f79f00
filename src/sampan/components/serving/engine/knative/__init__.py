"""Services of `serving.knative.dev` that users make: what runs in their place, and what is said of it. Pure."""
