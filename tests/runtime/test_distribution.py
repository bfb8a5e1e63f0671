from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.runtime import several_devices
from guided_sr.training.options import TrainingOptions

ROOT = Path(__file__).parents[2]
TRAINING = """
import json
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    (cpu, *_) = tf.config.list_physical_devices("CPU")
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
from guided_sr import GuidedSRModel, IBPCallback, degrade, head_phantom

class Count(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if keras.backend.backend() == "tensorflow":
            self.devices = self.model.distribute_strategy.num_replicas_in_sync
        else:
            self.devices = len(self.model.weights[0].value.sharding.device_set)

head = head_phantom((48, 48), n_slices=2, voxel_mm=4.0)
pairs = [(degrade(head.t2, 2), head.t1)]
found = {}
for devices in (1, 2):
    model = GuidedSRModel(
        precision="float32", blocks=1, convolutions=1, filters=4, growth=4
    )
    count = Count()
    histories = model.fit_external(
        pairs, scale=2, stages=2, max_steps=6, steps_per_epoch=2, batch_size=4,
        patch_size=16, devices=devices, verbose=0,
        callbacks=[count, IBPCallback(pairs)],
    )
    image = model.predict_cascade(*pairs[0], scale=2, strict=None)
    found[devices] = {
        "devices": count.devices,
        "loss": [history.history["loss"] for history in histories],
        "image": image[0, 20:28, 20:28].tolist(),
    }
print(json.dumps(found))
"""


@pytest.mark.backend
@pytest.mark.skipif(
    keras.backend.backend() not in ("jax", "tensorflow"), reason="no such training"
)
def test_two_devices_give_the_loss_curve_of_one() -> None:
    environment = {
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", TRAINING],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert [found[count]["devices"] for count in ("1", "2")] == [1, 2]
    np.testing.assert_allclose(found["2"]["loss"], found["1"]["loss"], rtol=1e-4)
    np.testing.assert_allclose(found["2"]["image"], found["1"]["image"], rtol=1e-3)


def test_pytorch_is_refused_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    with pytest.raises(UsageError, match="not possible with the torch backend"):
        several_devices(2)
    with several_devices(1)():
        pass


@pytest.mark.parametrize("count", [0, -1, 99])
def test_devices_that_are_not_there_are_refused(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guided_sr.runtime.distribution._devices", lambda _: ["one"])
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(UsageError, match=f"not {count} devices"):
        several_devices(count)


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    from guided_sr.training.options import refuse_unequal_shares

    with pytest.raises(UsageError, match="multiple of 2"):
        refuse_unequal_shares(TrainingOptions(batch_size=5), 2)
    with pytest.raises(UsageError, match="one device"):
        refuse_unequal_shares(TrainingOptions(loss="l1_wgan"), 2)
