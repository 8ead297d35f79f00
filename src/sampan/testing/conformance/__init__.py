"""The parts of the Client conformance class, by subject. Users import `sampan.testing.client_conformance`."""
