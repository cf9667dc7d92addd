"""Ways of telling a score, compared on the same searches: ``homeface evaluate scorings``."""
