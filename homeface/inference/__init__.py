"""The device: detectors, embedders, their runtimes, and the one thread that runs them."""

from __future__ import annotations

import os
import sys

# OpenMP's threads spin while they wait for each other. On a machine whose cores are also wanted elsewhere
# (cameras being decoded, Home Assistant) each wait then lasts until the scheduler intervenes: one embedding
# took 3.7 s instead of 0.2 s on two busy cores. It is read when torch is loaded, hence here, before that.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A home tells nobody what it runs. ONNX Runtime keeps a device id and a file of events to send, unless told
# not to before it is loaded; openvino's converter reports each import and each conversion.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # makes importing it fail
