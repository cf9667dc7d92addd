"""Training: one engine for all that is trained. ``engine`` runs a ``task``; everything else serves it."""

import homeface.inference  # noqa: F401 - before torch is loaded: it sets how OpenMP's threads wait
