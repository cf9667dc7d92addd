"""A classifier of one household: its members, and everybody else as one class more."""
