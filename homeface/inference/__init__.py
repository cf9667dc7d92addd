"""The device: detectors, embedders, their runtimes, and the one thread that runs them."""

from __future__ import annotations

import os

# OpenMP's threads spin while they wait for each other. On a machine whose cores are also wanted elsewhere
# (cameras being decoded, Home Assistant) each wait then lasts until the scheduler intervenes: one embedding
# took 3.7 s instead of 0.2 s on two busy cores. It is read when torch is loaded, hence here, before that.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
