"""Smaller and faster forms of a model: what they weigh, what they cost, and what they still know."""
