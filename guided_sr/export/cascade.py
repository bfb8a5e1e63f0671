"""A whole cascade as one model: what is exported for slices of one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from guided_sr.inference.cascade import StageRunner
from guided_sr.physics.back_projection import BackProjection
from guided_sr.physics.cascade_plan import CascadePlan


class CascadeLayer(keras.layers.Layer):
    """[up, network, back-project] x r for slices of one size (eq. 5).

    A layer, so that the matrices of the plan are made while the graph is traced and
    become its constants. It is never saved as a Keras layer, only exported.

    Args:
        networks: One a stage.
        plan: The cascade plan.
        back_projection: What follows each stage.

    Input and output: ``{"t2": (batch, h, w, 1), "t1": (batch, H, W, 1)}``, in the
    working range of intensities, to ``(batch, H, W, 1)``.
    """

    def __init__(
        self,
        networks: Sequence[keras.Model],
        *,
        plan: CascadePlan,
        back_projection: BackProjection,
    ) -> None:
        super().__init__(name="cascade", dtype="float32")
        self.networks = list(networks)
        self.plan = plan
        self.back_projection = back_projection

    def call(self, inputs: dict[str, Any]) -> Any:
        """Lead the T2 through all stages."""
        x = inputs["t2"]
        for stage, network in enumerate(self.networks, 1):
            run = StageRunner(
                network,
                plan=self.plan,
                stage=stage,
                back_projection=self.back_projection,
                differentiable=True,  # the plain call, which is part of this graph
                whole=True,
            )
            x = run(x, inputs["t2"], inputs.get("t1"))
        return x

    def compute_output_shape(self, input_shape: dict[str, Any]) -> tuple[Any, ...]:
        """Slices of the target's size."""
        return (input_shape["t2"][0], *self.plan.target_shape, 1)


def cascade_model(
    networks: Sequence[keras.Model],
    *,
    plan: CascadePlan,
    back_projection: BackProjection,
) -> keras.Model:
    """A functional model of a whole cascade, with inputs by name.

    Unlike `run_cascade` it runs the networks on the background, too, so that the two
    differ by what a network makes of a constant.

    Args:
        networks: One a stage.
        plan: The cascade plan; the model takes slices of its sizes alone.
        back_projection: What follows each stage.
    """
    sizes = {"t2": plan.shape, "t1": plan.target_shape}
    inputs = {
        name: keras.Input((*sizes[name], 1), name=name, dtype="float32")
        for name in networks[0].input
    }
    layer = CascadeLayer(networks, plan=plan, back_projection=back_projection)
    return keras.Model(inputs, layer(inputs), name="cascade")
