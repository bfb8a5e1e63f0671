from __future__ import annotations

import numpy as np
import pytest

from guided_sr.volumes import Volume


@pytest.fixture(scope="package")
def printing():
    """A "network" that adds the detail of the T1, beside one that adds none: 2x."""
    import keras

    from guided_sr import GuidedSRModel

    def make(guided):
        inputs = {
            name: keras.Input((None, None, 1), name=name)
            for name in (("t2", "t1") if guided else ("t2",))
        }
        out = keras.layers.Activation("linear")(inputs["t2"])
        if guided:
            blur = keras.layers.AveragePooling2D(3, 1, padding="same")
            detail = keras.layers.Subtract()([inputs["t1"], blur(inputs["t1"])])
            out = keras.layers.Add()([out, detail])
        model = GuidedSRModel(
            keras.Model(inputs, out), back_projection=None, precision="float32"
        )
        model.networks = [model.build() for _ in range(2)]
        model.scale, model.name = (2.0, 2.0), "guided" if guided else "unguided"
        return model

    guided = make(True)
    guided.unguided = make(False)
    return guided


@pytest.fixture(scope="package")
def sharp_pair():
    """A T2 of 24 x 28 x 6 voxels, and its own sharp form in place of a T1."""
    from guided_sr import degrade, head_phantom
    from guided_sr.volumes import target_affine

    sharp = head_phantom((48, 56), 6, seed=3, voxel_mm=4.0).t2
    low = np.moveaxis(degrade(sharp, 2), 0, -1).astype(np.float32)
    high = np.moveaxis(sharp, 0, -1).astype(np.float32)
    affine = np.diag([2.0, 2.0, 6.0, 1.0])
    wide = target_affine(affine, low.shape, high.shape)
    return Volume(low, affine), Volume(high, wide)
