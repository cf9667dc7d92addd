"""Training networks that turn a face into a vector."""
