"""Training against a critic: WGAN-GP beside the pixel loss, as in mDCSRN-GAN."""

from __future__ import annotations

from typing import Any

import keras

from guided_sr.errors import UsageError
from guided_sr.networks.mdcsrn_gan import Critic
from guided_sr.runtime.gradient import (
    gradient_tape,
    input_gradient,
    numbered_uniform,
    require_tensorflow,
)


class AdversarialModel(keras.Model):
    """A generator that a critic trains beside the loss of `compile`.

    The generator's loss is ``pixel loss - adversarial_weight * critic(output)``
    (Chen et al., MICCAI 2018: L1 and 1e-3); the critic's is that of Gulrajani et al.
    (NIPS 2017), ``critic(output) - critic(target) + penalty * (|slope| - 1)^2``, the
    slope taken between output and target. Compile, fit, save and load it like any
    model; ``save_weights`` holds the critic, its optimizer and the step counter too,
    so that a resumed training goes on exactly.

    Chen et al. train a finished generator further: 10,000 steps of the critic
    alone, then seven of the critic for each of the generator, on batches of their
    own, at a learning rate of 5e-6. Here the generator learns by the pixel loss
    alone for ``warm_up`` steps, and each step after that is ``critic_steps`` updates
    of the critic and one of the generator on the same batch.

    Logged are ``loss`` (the generator's whole loss), ``pixel_loss`` (what `compile`
    was given) and ``critic_loss`` (0 during the warm-up).

    Args:
        generator: Network with named inputs; it is trained in place.
        critic: Maps images to one score each; `Critic` of the published size if
            `None`. Keep it float32.
        learning_rate: Of the critic's Adam (b1 = 0, b2 = 0.9, as Gulrajani et al.).
        warm_up: Steps with the pixel loss only.
        adversarial_weight: Weight of the critic's score in the generator's loss.
        penalty: Weight of the gradient penalty in the critic's loss.
        critic_steps: Updates of the critic for each of the generator.
        seed: Seed of the points at which the slope is taken.

    Call arguments:
        inputs: Mapping that the generator takes.

    Returns:
        What the generator gives.

    Raises:
        UsageError: On a backend other than TensorFlow, or if ``critic_steps`` is
            below 1 or ``warm_up`` negative.
    """

    def __init__(
        self,
        generator: keras.Model,
        *,
        critic: keras.Model | None = None,
        learning_rate: float = 1e-4,
        warm_up: int = 0,
        adversarial_weight: float = 1e-3,
        penalty: float = 10.0,
        critic_steps: int = 7,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        require_tensorflow("adversarial training")
        if critic_steps < 1 or warm_up < 0:
            raise UsageError(
                f"critic_steps={critic_steps} and warm_up={warm_up} make no training",
                mend="give critic_steps of 1 or more and warm_up of 0 or more",
            )
        super().__init__(**kwargs)
        self.generator = generator
        self.critic = Critic() if critic is None else critic
        self.critic_optimizer = keras.optimizers.Adam(
            learning_rate, beta_1=0.0, beta_2=0.9
        )
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.steps = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="steps"
        )
        self.warm_up = warm_up
        self.adversarial_weight = adversarial_weight
        self.penalty = penalty
        self.critic_steps = critic_steps
        self.seed = seed
        self.means = {
            name: keras.metrics.Mean(name=name)
            for name in ("loss", "pixel_loss", "critic_loss")
        }
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """What the generator gives."""
        return self.generator(inputs, training=training)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """As in Keras; the optimizer is the generator's."""
        super().compile(*args, **kwargs)
        self.optimizer.build(self.generator.trainable_variables)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means that are logged."""
        return list(self.means.values())

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step on a batch ``(inputs, target)``."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        if self.warm_up:
            figures = keras.ops.cond(
                keras.ops.less(self.steps, self.warm_up),
                lambda: self._pixel_step(x, y),
                lambda: self._adversarial_step(x, y),
            )
        else:
            figures = self._adversarial_step(x, y)
        self.steps.assign_add(1)
        return self._logged(figures, keras.ops.shape(y)[0])

    def test_step(self, data: Any) -> dict[str, Any]:
        """The pixel loss on a batch; the critic is not asked."""
        x, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        pixel = self.compute_loss(x=x, y=y, y_pred=self(x, training=False))
        return self._logged((pixel, pixel, 0.0), keras.ops.shape(y)[0])

    def _logged(self, figures: tuple[Any, ...], count: Any) -> dict[str, Any]:
        for mean, figure in zip(self.means.values(), figures, strict=True):
            mean.update_state(figure, sample_weight=count)
        return {name: mean.result() for name, mean in self.means.items()}

    def _pixel_step(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        variables = self.generator.trainable_variables
        with gradient_tape() as tape:
            output = self.generator(x, training=True)
            pixel = self.compute_loss(x=x, y=y, y_pred=output, training=True)
        self.optimizer.apply(tape.gradient(pixel, variables), variables)
        return pixel, pixel, keras.ops.zeros(())

    def _adversarial_step(self, x: Any, y: Any) -> tuple[Any, Any, Any]:
        variables = self.generator.trainable_variables
        target = keras.ops.cast(y, "float32")
        with gradient_tape() as tape:
            output = self.generator(x, training=True)
            with tape.stop_recording():
                critic_loss = keras.ops.fori_loop(
                    0,
                    self.critic_steps,
                    lambda update, _: self._update_critic(target, output, update),
                    keras.ops.zeros(()),
                )
            pixel = self.compute_loss(x=x, y=y, y_pred=output, training=True)
            score = keras.ops.mean(self.critic(output, training=True))
            loss = pixel - self.adversarial_weight * score
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss, pixel, critic_loss

    def _update_critic(self, real: Any, fake: Any, update: Any) -> Any:
        where = numbered_uniform(
            (keras.ops.shape(real)[0], 1, 1, 1),
            seed=self.seed,
            number=self.steps * self.critic_steps + keras.ops.cast(update, "int64"),
        )
        between = fake + where * (real - fake)
        variables = self.critic.trainable_variables
        with gradient_tape() as tape:
            distance = keras.ops.mean(self.critic(fake, training=True))
            distance -= keras.ops.mean(self.critic(real, training=True))
            slope = input_gradient(self._score, between)
            steepness = keras.ops.sqrt(
                keras.ops.sum(keras.ops.square(slope), axis=(1, 2, 3)) + 1e-12
            )
            excess = keras.ops.mean(keras.ops.square(steepness - 1.0))
            loss = distance + self.penalty * excess
        self.critic_optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _score(self, images: Any) -> Any:
        return self.critic(images, training=True)
