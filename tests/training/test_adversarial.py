from __future__ import annotations

import keras
import numpy as np
import pytest

from guided_sr.errors import UsageError
from guided_sr.networks.mdcsrn_gan import MDCSRN, Critic
from guided_sr.training.adversarial import AdversarialModel
from guided_sr.training.callbacks import StopOnDivergence


class Patches(keras.utils.PyDataset):
    """Four batches an epoch, a function of the epoch and the index alone."""

    def __init__(self, *, first_epoch=0, guided=True):
        super().__init__()
        self.epoch, self.guided = first_epoch, guided

    def __len__(self):
        return 4

    def __getitem__(self, index):
        generator = np.random.default_rng([self.epoch, index])
        y = generator.random((4, 16, 16, 1), dtype=np.float32)
        inputs = {"t2": 0.9 * y, "t1": 1 - y}
        return inputs if self.guided else {"t2": inputs["t2"]}, y

    def on_epoch_end(self):
        self.epoch += 1


def make(
    *, seed=3, guided=True, dtype="float32", loss="mean_absolute_error", **options
):
    keras.utils.set_random_seed(seed)
    small = {"blocks": 2, "units": 2, "growth": 4}
    options = {"critic_steps": 2, **options}
    model = AdversarialModel(
        MDCSRN(**small, guided=guided, dtype=dtype),
        critic=Critic(filters=4, hidden=8),
        **options,
    )
    model.compile(keras.optimizers.Adam(1e-3), loss=loss, jit_compile=False)
    model.optimizer.build(model.generator.trainable_variables)
    return model


def fit(model, *, first=0, epochs=1, **options):
    data = Patches(first_epoch=first, guided="t1" in model.generator.input)
    options = {"shuffle": False, "verbose": 0, **options}
    return model.fit(data, epochs=epochs, initial_epoch=first, **options).history


def copies(network):
    return [w.copy() for w in network.get_weights()]


def same(ours, theirs):
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("dtype", "guided"), [("float32", True), ("mixed_bfloat16", False)]
)
def test_both_networks_learn(dtype, guided):
    model = make(dtype=dtype, guided=guided)
    generator = [np.array(w) for w in model.generator.trainable_variables]
    critic = [np.array(w) for w in model.critic.trainable_variables]
    figures = fit(model, epochs=2, callbacks=[StopOnDivergence()])
    assert all(np.isfinite(values).all() for values in figures.values())
    assert set(figures) == {"loss", "pixel_loss", "critic_loss"}
    for before, network in ((generator, model.generator), (critic, model.critic)):
        after = [np.array(w) for w in network.trainable_variables]
        moved = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
        # A constant added to every score changes no loss.
        assert sum(moved) >= len(moved) - (network is model.critic)


def test_the_call_is_the_generators(images):
    model = make()
    inputs = {"t2": images(17, 20), "t1": images(17, 20, seed=1)}
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model(inputs)),
        keras.ops.convert_to_numpy(model.generator(inputs)),
    )


def test_the_critic_rests_during_the_warm_up():
    model = make(warm_up=4)
    before = copies(model.critic)
    figures = fit(model)
    assert same(before, model.critic.get_weights())
    assert figures["critic_loss"] == [0.0]
    assert figures["loss"] == figures["pixel_loss"]
    figures = fit(model, first=1, epochs=2)
    assert not same(before, model.critic.get_weights())
    assert figures["loss"] != figures["pixel_loss"]
    assert int(model.critic_optimizer.iterations) == 4 * model.critic_steps
    assert int(model.optimizer.iterations) == int(model.steps) == 8


def test_the_warm_up_is_ordinary_training():
    model = make(warm_up=100)
    keras.utils.set_random_seed(3)
    plain = MDCSRN(blocks=2, units=2, growth=4, guided=True)
    plain.set_weights(model.generator.get_weights())
    plain.compile(keras.optimizers.Adam(1e-3), loss="mae", jit_compile=False)
    plain.fit(Patches(), shuffle=False, verbose=0)
    fit(model)
    for a, b in zip(plain.get_weights(), model.generator.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_loss_is_the_pixel_loss_less_the_weighted_score(images):
    model = make(adversarial_weight=0.5, loss="mean_squared_error")
    model.optimizer.learning_rate = 0.0
    inputs = {"t2": images(16, 16), "t1": images(16, 16, seed=1)}
    y = images(16, 16, seed=2)
    output = model.generator(inputs, training=True)
    figures = model.train_on_batch(inputs, y, return_dict=True)
    squared = np.square(keras.ops.convert_to_numpy(output) - y).mean()
    score = keras.ops.convert_to_numpy(model.critic(output)).mean()
    np.testing.assert_allclose(figures["pixel_loss"], squared, rtol=1e-4)
    np.testing.assert_allclose(figures["loss"], squared - 0.5 * score, rtol=1e-3)


def test_the_penalty_draws_the_slope_towards_one(images):
    def steepness(penalty):
        model = make(penalty=penalty, learning_rate=1e-3, critic_steps=20)
        fit(model, epochs=3)
        real, fake = images(16, 16, n=8), images(16, 16, n=8, seed=9)
        score = [
            keras.ops.convert_to_numpy(model.critic(batch)).mean()
            for batch in (real, real + 0.01 * (fake - real))
        ]
        step = 0.01 * np.linalg.norm(fake - real, axis=(1, 2)).mean()
        return abs(score[1] - score[0]) / step

    assert steepness(100.0) < 1.2


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path):
    path = tmp_path / "half.weights.h5"
    whole = make(warm_up=3)
    fit(whole)
    whole.save_weights(path)
    last = fit(whole, first=1, epochs=3)

    again = make(seed=11, warm_up=3)
    again.load_weights(path)
    assert int(again.steps) == 4
    assert fit(again, first=1, epochs=3) == last
    assert same(whole.get_weights(), again.get_weights())
    for name in ("optimizer", "critic_optimizer"):
        ours, theirs = getattr(whole, name), getattr(again, name)
        pairs = zip(ours.variables, theirs.variables, strict=True)
        assert all(np.array_equal(np.array(a), np.array(b)) for a, b in pairs)


def test_two_trainings_with_one_seed_are_one():
    first, second = make(seed=5), make(seed=5)
    assert fit(first) == fit(second)
    assert same(first.get_weights(), second.get_weights())


def test_evaluation_asks_for_the_pixel_loss_only():
    figures = make().evaluate(Patches(), verbose=0, return_dict=True)
    assert figures["loss"] == figures["pixel_loss"] > 0
    assert figures["critic_loss"] == 0


@pytest.mark.slow
def test_it_compiles_with_xla(images):
    model = make(warm_up=1)
    model.compile(keras.optimizers.Adam(1e-3), loss="mae", jit_compile=True)
    inputs = {"t2": images(16, 16), "t1": images(16, 16, seed=1)}
    for _ in range(2):
        assert np.isfinite(model.train_on_batch(inputs, images(16, 16))[0])


@pytest.mark.parametrize("wrong", [{"critic_steps": 0}, {"warm_up": -1}])
def test_impossible_counts_are_refused(wrong):
    with pytest.raises(UsageError, match="make no training"):
        make(**wrong)


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UsageError, match=r"TensorFlow backend, this is jax.*every"):
        make()
