"""The door to Ray: thin adapters around the driver."""
