"""The device: detectors, embedders, their runtimes, and the one thread that runs them."""

from __future__ import annotations

import os
import sys

# OpenMP's threads spin while they wait for each other. On a machine whose cores are also wanted elsewhere
# (cameras being decoded, Home Assistant) each wait then lasts until the scheduler intervenes: one embedding
# took 3.7 s instead of 0.2 s on two busy cores. It is read when torch is loaded, hence here, before that.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# openvino's converter reports each import and each conversion to its maker. A home tells nobody.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # makes importing it fail
