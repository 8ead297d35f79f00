"""What serving answers over HTTP beside Kubernetes: how its endpoints do."""
