"""What the gateway decides, counts and says; pure. Its connections are in `controller/gateway`."""
