"""Weights of other frameworks, turned into ours."""
