"""Training: one engine for all that is trained. ``engine`` runs a ``task``; everything else serves it."""
