from __future__ import annotations

from collections.abc import Callable

import golden_networks
import keras
import numpy as np
import pytest
import tensorflow as tf

from qmap.agents.layers import LOW, SMALL, MeanFrame, duel
from qmap.agents.networks import ConvDQN, ConvQFrames, DenseQFrames
from qmap.agents.published import q_frames_maker

Golden = Callable[[str], dict[str, np.ndarray]]


def published_output(figures: golden_networks.Figures) -> np.ndarray:
    """What the online network of a golden case says about its batch."""
    network = golden_networks.network_maker(figures)()
    network.set_weights(golden_networks.weights_of(figures, "online"))
    return network(figures["obs"]).numpy()


@pytest.mark.parametrize("case", golden_networks.Q_MAP_CASES)
def test_q_frames_are_the_published_ones(golden: Golden, case: str) -> None:
    figures = golden_networks.of_case(golden("networks.npz"), case)
    golden_networks.assert_close(published_output(figures), figures["q_values"], 1e-4)


def test_greedy_actions_of_the_dqn_are_the_published_ones(golden: Golden) -> None:
    figures = golden_networks.of_case(golden("networks.npz"), golden_networks.DQN_CASE)
    assert np.array_equal(published_output(figures).argmax(axis=-1), figures["greedy_action"])


@pytest.mark.parametrize(
    ("observation_shape", "strides", "last", "coords_shape"),
    [
        ((56, 64, 3), (2, 2, 2), (2, 2, 1), (28, 32)),
        ((56, 40, 3), (2, 2, 2), (2, 2, 1), (28, 20)),
        ((28, 32, 3), (2, 2, 1), (1, 2, 2), (28, 32)),
    ],
    ids=["mario", "montezuma", "gridworld"],
)
def test_q_frames_cover_the_goal_grid(
    observation_shape: tuple[int, int, int],
    strides: tuple[int, int, int],
    last: tuple[int, int, int],
    coords_shape: tuple[int, int],
) -> None:
    network = ConvQFrames(
        observation_shape,
        6,
        encoder=[(2, 8, strides[0]), (2, 6, strides[1]), (3, 4, strides[2])],
        hidden=[5],
        decoder=[(3, 4, last[0]), (2, 6, last[1])],
        last=(4, last[2]),
    )
    q_frames = network(np.zeros((2, *observation_shape), np.uint8))
    assert q_frames.shape == (2, *coords_shape, 6)
    assert q_frames.dtype == tf.float32


def small_networks() -> list[keras.Model]:
    """One of each kind, for 8 x 8 observations and 3 actions."""
    keras.utils.set_random_seed(0)
    return [
        ConvQFrames(
            (8, 8, 3), 3, encoder=[(4, 4, 2)], hidden=[6], decoder=[(4, 4, 1)], last=(3, 2)
        ),
        DenseQFrames((8, 8, 3), 3, coords_shape=(4, 5), hidden=[6]),
        ConvDQN((8, 8, 3), 3, encoder=[(4, 4, 2)], hidden=[6]),
    ]


@pytest.mark.parametrize("network", small_networks(), ids=["conv", "dense", "dqn"])
class TestEveryNetwork:
    def test_starts_glorot_uniform_with_zero_biases(self, network: keras.Model) -> None:
        for weight in network.weights:
            values = weight.numpy()
            if weight.path.endswith(("bias", "beta")):
                assert not values.any()
            elif weight.path.endswith("gamma"):
                assert np.all(values == 1.0)
            else:
                area = np.prod(values.shape[:-2])
                limit = np.sqrt(6.0 / (area * sum(values.shape[-2:])))
                assert np.all(np.abs(values) <= limit)
                if values.size > 50:
                    assert values.std() == pytest.approx(limit / np.sqrt(3.0), rel=0.25)

    def test_treats_each_observation_on_its_own(self, network: keras.Model) -> None:
        observations = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
        together = network(observations).numpy()
        alone = np.concatenate([network(one[None]).numpy() for one in observations])
        np.testing.assert_allclose(together, alone, atol=1e-5)

    def test_sees_255_as_one(self, network: keras.Model) -> None:
        first = network.encoder[0] if hasattr(network, "encoder") else network.hidden[0].dense
        seen: list[np.ndarray] = []
        call = first.call
        first.call = lambda x: (seen.append(x.numpy()), call(x))[1]
        try:
            network(
                np.array([0, 51, 255], np.uint8)[:, None, None, None] * np.ones((8, 8, 3), "u1")
            )
        finally:
            first.call = call
        values = seen[0].reshape(3, -1)
        np.testing.assert_allclose(
            values, np.array([[0.0], [0.2], [1.0]]) * np.ones(192), rtol=1e-6
        )


def test_dueling_changes_neither_the_order_of_actions_nor_the_value() -> None:
    generator = np.random.default_rng(0)
    value, advantage = generator.normal(size=(2, 3, 4, 1)), generator.normal(size=(2, 3, 4, 5))
    q = duel(tf.constant(value), tf.constant(advantage)).numpy()
    np.testing.assert_allclose(q.mean(axis=-1, keepdims=True), value)
    np.testing.assert_allclose(q - q[..., :1], advantage - advantage[..., :1])


def test_options_leave_out_the_value_stream_and_the_norms() -> None:
    plain = DenseQFrames(
        (4, 4, 1), 3, coords_shape=(2, 2), hidden=[5], dueling=False, layer_norm=False
    )
    assert [tuple(weight.shape) for weight in plain.weights] == [(16, 5), (5,), (5, 12), (12,)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConvQFrames((8, 8, 3), 5, encoder=[(4, 4, 2)], hidden=[6], decoder=[], last=(4, 2)),
        lambda: DenseQFrames((8, 8, 3), 5, coords_shape=(8, 8), hidden=[6]),
        lambda: ConvDQN((8, 8, 3), 5, encoder=[(4, 4, 2)], hidden=[6]),
    ],
)
def test_the_advantages_alone_tell_which_action_is_best(make: Callable[[], keras.Model]) -> None:
    keras.utils.set_random_seed(0)
    network = make()
    observations = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    q_values, advantages = network(observations).numpy(), network.advantages(observations).numpy()
    np.testing.assert_array_equal(advantages.argmax(axis=-1), q_values.argmax(axis=-1))
    assert not np.allclose(advantages, q_values)


def options_off() -> list[Callable[..., keras.Model]]:
    """Both kinds of Q-frame networks, with whatever options."""
    return [
        lambda **options: ConvQFrames(
            (8, 8, 3),
            3,
            encoder=[(4, 4, 2)],
            hidden=[6],
            decoder=[(4, 4, 1)],
            last=(3, 2),
            **options,
        ),
        lambda **options: DenseQFrames((8, 8, 3), 3, coords_shape=(8, 8), hidden=[6], **options),
    ]


def screens(seed: int, count: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("make", options_off(), ids=["conv", "dense"])
class TestOptions:
    def test_a_small_start_is_a_tenth_of_the_usual_one(
        self, make: Callable[..., keras.Model]
    ) -> None:
        outputs = []
        for small_start in (False, True):
            keras.utils.set_random_seed(0)
            outputs.append(make(small_start=small_start)(screens(0)).numpy())
        np.testing.assert_allclose(outputs[1], outputs[0] * SMALL, rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("dueling", [True, False])
    def test_a_sigmoid_starts_low_and_stays_a_probability(
        self, make: Callable[..., keras.Model], dueling: bool
    ) -> None:
        network = make(sigmoid=True, small_start=True, dueling=dueling)
        q_values = network(screens(0)).numpy()
        assert q_values.mean() == pytest.approx(1 / (1 + np.exp(-LOW)), rel=0.3)
        np.testing.assert_allclose(
            q_values, 1 / (1 + np.exp(-network.logits(screens(0)).numpy())), rtol=1e-5
        )
        assert q_values.min() > 0.0
        assert q_values.max() < 1.0

    def test_the_mean_frame_is_no_trained_weight_but_is_saved(
        self, make: Callable[..., keras.Model]
    ) -> None:
        network = make(center=True)
        network.mean_frame.observe(tf.constant(screens(0)))
        names = [weight.name for weight in network.weights]
        assert {"mean", "count"} <= set(names)
        assert not {"mean", "count"} & {weight.name for weight in network.trainable_weights}
        other = make(center=True)
        other.set_weights(network.get_weights())
        np.testing.assert_array_equal(other(screens(1)).numpy(), network(screens(1)).numpy())

    def test_what_all_frames_have_in_common_does_not_matter_to_centered_ones(
        self, make: Callable[..., keras.Model]
    ) -> None:
        keras.utils.set_random_seed(0)
        network = make(center=True)
        frames = screens(0) // 2
        network.mean_frame.observe(tf.constant(frames))
        before = network(frames).numpy()
        network.mean_frame.mean.assign_add(tf.fill((8, 8, 3), 100.0))
        np.testing.assert_allclose(network(frames + 100).numpy(), before, atol=1e-4)


def test_the_mean_frame_is_the_mean_of_all_batches_however_large() -> None:
    mean_frame = MeanFrame()
    mean_frame(screens(0))
    for start, end in ((0, 3), (3, 4), (4, 16)):
        mean_frame.observe(tf.constant(screens(0)[start:end]))
    np.testing.assert_allclose(mean_frame.mean.numpy(), screens(0).mean(axis=0), rtol=1e-5)
    centered = (screens(1) - screens(0).mean(axis=0)) / 32
    np.testing.assert_allclose(mean_frame(screens(1)).numpy(), centered, rtol=1e-4, atol=1e-4)


def test_a_mean_frame_that_forgets_stays_until_it_sees_something_new() -> None:
    mean_frame = MeanFrame()
    mean_frame(screens(0))
    mean_frame.observe(tf.constant(screens(0)))
    mean_frame.forget()
    np.testing.assert_allclose(mean_frame.mean.numpy(), screens(0).mean(axis=0), rtol=1e-5)
    for start, end in ((0, 2), (2, 16)):
        mean_frame.observe(tf.constant(screens(1)[start:end]))
        expected = screens(1)[:end].mean(axis=0)
        np.testing.assert_allclose(mean_frame.mean.numpy(), expected, rtol=1e-4)


def test_skip_connections_show_the_decoder_what_does_not_pass_the_bottleneck() -> None:
    def make(skip: bool) -> keras.Model:
        network = ConvQFrames(
            (8, 8, 1),
            2,
            encoder=[(4, 4, 2)],
            hidden=[6],
            decoder=[(4, 4, 1)],
            last=(3, 2),
            skip=skip,
        )
        for layer in network.hidden:  # nothing passes
            layer.norm.gamma.assign(tf.zeros_like(layer.norm.gamma))
        return network

    frames = screens(0)[..., :1]
    assert not np.ptp(make(skip=False)(frames).numpy(), axis=0).any()
    assert np.ptp(make(skip=True)(frames).numpy(), axis=0).all()


def test_skip_connections_add_no_weights() -> None:
    shapes = [
        [weight.shape for weight in q_frames_maker(name, (56, 64, 3), 6)().weights]
        for name in ("convdeconv", "skip")
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("stack", [1, 3])
def test_differences_are_those_of_one_frame_to_the_next_and_the_newest_comes_last(
    stack: int,
) -> None:
    shape = (8, 8, 2 * stack)
    sizes = {"encoder": [(4, 4, 2)], "hidden": [6], "decoder": [], "last": (3, 2)}
    network = ConvQFrames(shape, 2, frame_channels=2, **sizes)
    plain = ConvQFrames(shape, 2, **sizes)
    plain.set_weights(network.get_weights())
    frames = np.random.default_rng(0).integers(0, 256, (4, *shape), dtype=np.uint8)
    *_, newest = parts = np.split(frames / np.float32(255), stack, axis=-1)
    shown = [later - earlier for earlier, later in zip(parts, parts[1:], strict=False)]
    plain.inputs = lambda observations: tf.concat((*shown, newest), axis=-1)
    np.testing.assert_allclose(network(frames), plain(frames), atol=1e-5)
