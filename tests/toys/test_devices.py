"""Several JAX devices share a batch, and change no toy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import jax
import numpy as np
import pytest

from nplm.models.network import search as network_search
from tests.toys.programs import QUICK, ROOT, exponential_campaign


def report() -> dict[str, Any]:
    """The t of a batch, and the devices that its climbs ended on."""
    campaign = exponential_campaign(model=QUICK)
    used: list[str] = []
    climb = network_search.climb

    def noting(*arguments: Any) -> Any:
        state, remaining = climb(*arguments)
        used.extend(str(device) for device in state.theta.devices())
        return state, remaining

    network_search.climb = noting
    try:
        table = campaign.run(range(6))
    finally:
        network_search.climb = climb
    replicas = campaign.test.prepared.search.replicas
    return {
        "t": table.t.tolist(),
        "used": sorted(set(used)),
        "replicas": [sorted(str(device) for device in replica.full.x.devices()) for replica in replicas],
        "batch": campaign.test.prepared.batch_size,
    }


@pytest.mark.slow
def test_two_devices_share_a_batch_and_give_the_same_toys() -> None:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    program = "import json; from tests.toys.test_devices import report; print(json.dumps(report()))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": flags.strip(), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    two = json.loads(done.stdout)
    assert len(two["replicas"]) == 2
    assert two["replicas"][0] != two["replicas"][1]
    assert two["used"] == sorted(device for replica in two["replicas"] for device in replica)
    assert two["batch"] >= 2

    one = report()
    assert len(jax.local_devices()) == len(one["replicas"]) == len(one["used"]) == 1
    np.testing.assert_allclose(two["t"], one["t"], rtol=1e-8)
    assert len(set(one["t"])) == 6
