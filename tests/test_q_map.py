from __future__ import annotations

from collections.abc import Callable

import golden_networks
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from qmap.agents.networks import ConvQFrames
from qmap.agents.q_map import QMapLearner, all_goals_targets, next_q_frames
from qmap.agents.replay import Transitions

Golden = Callable[[str], dict[str, np.ndarray]]

N_STATES, ROWS, COLS, N_ACTIONS = 5, 3, 6, 2
GAMMA = 0.9
LEARNING = {"learning_rate": 0.01, "gamma": GAMMA, "clip_norm": 1000.0}


class Table(keras.Model):
    """Q-frames for each value of the first pixel."""

    def __init__(self) -> None:
        super().__init__()
        shape = (N_STATES, ROWS, COLS, N_ACTIONS)
        self.table = self.add_weight(shape=shape, initializer="glorot_uniform")

    def call(self, observations: tf.Tensor) -> tf.Tensor:
        states = tf.one_hot(observations[:, 0, 0, 0], N_STATES)
        return tf.einsum("bs,srca->brca", states, self.table)


def table_learner(**settings_: object) -> QMapLearner:
    """A learner whose networks are tables with known random entries, some outside [0, 1]."""
    learner = QMapLearner(Table, **LEARNING | settings_)
    generator = np.random.default_rng(5)
    for network in (learner.online, learner.target):
        network.set_weights(
            [generator.uniform(-0.2, 1.2, (N_STATES, ROWS, COLS, N_ACTIONS)).astype(np.float32)]
        )
    return learner


def random_batch(seed: int, n_steps: int = 1, size: int = 8, shift: int = 1) -> Transitions:
    """Transitions between random states, the window moving by up to `shift`."""
    generator = np.random.default_rng(seed)
    observations = np.zeros((2, size, 1, 1, 1), np.uint8)
    observations[:, :, 0, 0, 0] = generator.integers(0, N_STATES, (2, size))
    steps = (size, n_steps)
    return Transitions(
        observations=observations[0],
        actions=generator.integers(0, N_ACTIONS, size).astype(np.int32),
        rewards=np.zeros(steps, np.float32),
        next_observations=observations[1],
        rows=generator.integers(0, ROWS, steps).astype(np.int32),
        cols=generator.integers(0, COLS, steps).astype(np.int32),
        window_shifts=generator.integers(-shift, shift + 1, steps).astype(np.int32),
        terminals=generator.random(steps) < 0.2,
        lengths=generator.integers(1, n_steps + 1, size).astype(np.int32),
    )


def slow_target(
    next_q: np.ndarray, batch: Transitions, index: int, gamma: float = GAMMA, margin: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The target of one transition and whether it is known, cell by cell."""
    value, known = next_q.astype(np.float64), np.ones(next_q.shape, bool)
    for step in reversed(range(batch.lengths[index])):
        moved, moved_known = np.empty_like(value), np.empty_like(known)
        for row, col in np.ndindex(value.shape):
            later_col = col - batch.window_shifts[index, step]
            in_sight = 0 <= later_col < value.shape[1]
            if not in_sight:
                later_col = col
            away = (row - batch.rows[index, step], later_col - batch.cols[index, step])
            if max(map(abs, away)) <= margin:
                moved[row, col], moved_known[row, col] = 1.0, in_sight
            elif batch.terminals[index, step]:
                moved[row, col], moved_known[row, col] = 0.0, in_sight
            else:
                moved[row, col] = gamma * value[row, later_col]
                moved_known[row, col] = in_sight and known[row, later_col]
        value, known = moved, moved_known
    return value, known


def targets_of(
    next_q: np.ndarray, batch: Transitions, gamma: float = GAMMA, margin: int = 0
) -> list[np.ndarray]:
    """The project's targets and known cells of a batch."""
    targets = all_goals_targets(
        tf.constant(next_q, tf.float32),
        tf.constant(batch.rows),
        tf.constant(batch.cols),
        tf.constant(batch.window_shifts),
        tf.constant(batch.terminals),
        tf.constant(batch.lengths),
        gamma,
        margin,
    )
    return [tensor.numpy() for tensor in targets]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.sampled_from((0, 1, 3, COLS + 1)),
    st.sampled_from((0.0, 0.9, 1.0)),
    st.integers(0, 2),
)
def test_targets_are_those_of_the_definition(
    seed: int, n_steps: int, shift: int, gamma: float, margin: int
) -> None:
    batch = random_batch(seed, n_steps, size=4, shift=shift)
    next_q = np.random.default_rng(seed).random((4, ROWS, COLS))
    targets, known = targets_of(next_q, batch, gamma, margin)
    assert targets.min() >= 0.0
    assert targets.max() <= 1.0
    for index in range(4):
        expected, expected_known = slow_target(next_q[index], batch, index, gamma, margin)
        np.testing.assert_allclose(targets[index], expected, atol=1e-6)
        assert np.array_equal(known[index], expected_known)


def test_what_comes_after_the_last_step_that_is_there_does_not_matter() -> None:
    long = random_batch(0, n_steps=4)
    lengths = np.full(8, 2, np.int32)
    short = long._replace(
        lengths=lengths,
        rows=long.rows[:, :2],
        cols=long.cols[:, :2],
        window_shifts=long.window_shifts[:, :2],
        terminals=long.terminals[:, :2],
    )
    next_q = np.random.default_rng(0).random((8, ROWS, COLS))
    padded = targets_of(next_q, long._replace(lengths=lengths))
    assert all(map(np.array_equal, padded, targets_of(next_q, short)))


def test_a_goal_keeps_its_place_in_the_world_when_the_window_scrolls() -> None:
    next_q = np.zeros((1, ROWS, COLS))
    next_q[0, 1, 2] = 1.0
    batch = Transitions(
        *[None] * 4,
        rows=np.array([[0]]),
        cols=np.array([[3]]),
        window_shifts=np.array([[2]]),
        terminals=np.array([[False]]),
        lengths=np.array([1]),
    )
    targets, known = targets_of(next_q, batch)
    assert targets[0, 1, 4] == pytest.approx(GAMMA)
    assert targets[0, 0, 5] == 1.0
    assert np.array_equal(known[0], np.arange(COLS) + np.zeros((ROWS, 1)) >= 2)


def test_one_network_picks_the_action_and_the_other_gives_its_value() -> None:
    picking = np.array([0.3, 0.1, 0.8], np.float32)[None, None, None]
    giving = np.array([0.2, 0.9, 0.5], np.float32)[None, None, None]
    assert next_q_frames(picking, giving)[0, 0, 0] == np.float32(0.5)


def test_values_that_cannot_be_are_clipped() -> None:
    for value, expected in ((-3.0, 0.0), (7.0, 1.0)):
        q_frames = np.full((1, 2, 2, 3), value, "f")
        assert next_q_frames(q_frames, q_frames).numpy().max() == expected


def picked(learner: QMapLearner, order: str | None, state: int) -> np.ndarray:
    """Value of the next state, by the definition of this kind of Q-learning."""
    online, target = (
        network.get_weights()[0][state] for network in (learner.online, learner.target)
    )
    if order is None:
        value = online.max(axis=-1)
    elif order == "reference":
        value = np.take_along_axis(online, target.argmax(-1)[..., None], -1)[..., 0]
    else:
        value = np.take_along_axis(target, online.argmax(-1)[..., None], -1)[..., 0]
    return value.clip(0.0, 1.0)


@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"double_order": None},
        {"double_order": "usual"},
        {"unknown_columns": "ignore"},
    ],
    ids=str,
)
def test_errors_and_loss_are_those_of_the_definition(kind: dict[str, object]) -> None:
    learner, batch = table_learner(**kind), random_batch(1, n_steps=2, shift=2)
    order = kind.get("double_order", "reference")
    weights = np.random.default_rng(2).random(8)
    online = learner.online.get_weights()[0]
    losses, expected = [], []
    for i in range(8):
        next_q = picked(learner, order, batch.next_observations[i, 0, 0, 0])
        target, known = slow_target(next_q, batch, i)
        difference = online[batch.observations[i, 0, 0, 0], :, :, batch.actions[i]] - target
        if learner.unknown_columns == "ignore":
            difference = difference[known]
        losses.append(np.mean(difference**2))
        expected.append(np.abs(difference).mean())
    update = learner.train(batch, weights)
    np.testing.assert_allclose(update.errors, expected, rtol=1e-5)
    seen = online[batch.observations[:, 0, 0, 0]]
    assert update.best_q == pytest.approx(seen.max(axis=-1).mean(), rel=1e-5)
    assert update.loss == pytest.approx(np.mean(weights * losses), rel=1e-5)


def test_the_target_of_a_cell_that_nobody_has_reached_is_nothing() -> None:
    reached = np.random.default_rng(3).random((8, ROWS, COLS)) < 0.5
    learner, batch = table_learner(), random_batch(1, shift=2)._replace(reached=reached)
    online = learner.online.get_weights()[0]
    expected = []
    for i in range(8):
        next_q = picked(learner, "reference", batch.next_observations[i, 0, 0, 0])
        target, _ = slow_target(next_q, batch, i)
        at = online[batch.observations[i, 0, 0, 0], :, :, batch.actions[i]]
        expected.append(np.abs(at - target * reached[i]).mean())
    np.testing.assert_allclose(learner.train(batch, np.ones(8)).errors, expected, rtol=1e-5)


@pytest.mark.parametrize("mode", ["keep", "ignore"])
def test_only_the_mode_that_keeps_unknown_columns_learns_from_them(mode: str) -> None:
    learner = table_learner(unknown_columns=mode)
    batch = random_batch(0)._replace(
        window_shifts=np.full((8, 1), 2, np.int32), terminals=np.zeros((8, 1), bool)
    )
    before = learner.online.get_weights()[0]
    learner.train(batch, np.ones(8))
    changed = (learner.online.get_weights()[0] != before).any(axis=(0, 1, 3))
    assert changed[2:].all()
    assert changed[:2].any() == (mode == "keep")


@pytest.mark.parametrize(
    "jump",
    [
        {"window_shifts": np.full((8, 1), COLS + 3, np.int32)},
        {"room_changes": np.ones((8, 1), bool)},
    ],
    ids=["window", "room"],
)
def test_a_jump_to_another_place_teaches_nothing_where_unknown_columns_are_ignored(
    jump: dict[str, np.ndarray],
) -> None:
    learner = table_learner(unknown_columns="ignore")
    batch = random_batch(0)._replace(**jump)
    before = learner.online.get_weights()[0]
    update = learner.train(batch, np.ones(8))
    assert update.loss == 0.0
    assert np.array_equal(update.errors, np.zeros(8))
    assert np.array_equal(learner.online.get_weights()[0], before)


def test_what_was_reached_before_another_room_is_learned_and_nothing_of_that_room() -> None:
    learner = table_learner(unknown_columns="ignore")
    batch = random_batch(0, n_steps=2)._replace(
        lengths=np.full(8, 2, np.int32),
        window_shifts=np.zeros((8, 2), np.int32),
        terminals=np.zeros((8, 2), bool),
        room_changes=np.tile((False, True), (8, 1)),
    )
    online = learner.online.get_weights()[0]
    row, col = batch.rows[:, 0], batch.cols[:, 0]
    known = online[batch.observations[:, 0, 0, 0], row, col, batch.actions]
    np.testing.assert_allclose(learner.train(batch, np.ones(8)).errors, abs(known - 1), rtol=1e-5)


def test_the_published_mode_knows_no_rooms() -> None:
    updates = [
        table_learner().train(random_batch(0)._replace(room_changes=changes), np.ones(8))
        for changes in (False, np.ones((8, 1), bool))
    ]
    assert updates[0].loss == updates[1].loss
    assert np.array_equal(updates[0].errors, updates[1].errors)


def target_cases(figures: dict[str, np.ndarray]) -> list[str]:
    """Names of the golden cases of the target."""
    return sorted({key.split("/")[0] for key in figures})


def assert_targets_as_published(figures: golden_networks.Figures) -> None:
    """The golden target of one case."""
    # In the published order the target network picks; without double Q-learning the online one.
    picking = figures["next_q_target" if figures["double_q"] else "next_q_online"]
    next_q = next_q_frames(tf.constant(picking), tf.constant(figures["next_q_online"]))
    targets, _ = all_goals_targets(
        next_q,
        figures["row"].astype(np.int32),
        figures["col"].astype(np.int32),
        figures["window_shift"].astype(np.int32),
        figures["done"],
        np.full(len(figures["row"]), figures["n_steps"], np.int32),
        float(figures["gamma"]),
    )
    np.testing.assert_allclose(targets, figures["target"], rtol=0, atol=1e-6)


def test_targets_are_the_published_ones(golden: Golden) -> None:
    figures = golden("q_map_targets.npz")
    assert target_cases(figures)
    for case in target_cases(figures):
        assert_targets_as_published(golden_networks.of_case(figures, case))


@golden_networks.about_the_tests
@pytest.mark.parametrize("key", ["next_q_online", "gamma", "target"])
def test_targets_off_by_one_percent_are_noticed(golden: Golden, key: str) -> None:
    figures = golden("q_map_targets.npz")
    for name in target_cases(figures):
        case = golden_networks.of_case(figures, name)
        with pytest.raises(AssertionError):
            assert_targets_as_published({**case, key: case[key] * 1.01})


@pytest.fixture(scope="module", params=golden_networks.Q_MAP_CASES)
def published(
    request: pytest.FixtureRequest, golden: Golden
) -> tuple[QMapLearner, golden_networks.Figures]:
    """A learner and its figures; it forgets what it learned when they are loaded again."""
    figures = golden_networks.of_case(golden("networks.npz"), request.param)
    return golden_networks.learner_of(figures), figures


def test_three_steps_give_the_published_errors_and_weights(
    published: tuple[QMapLearner, golden_networks.Figures],
) -> None:
    learner, figures = published
    measured = golden_networks.three_steps(learner, figures)
    golden_networks.assert_as_published(measured, figures)


@golden_networks.about_the_tests
def test_figures_off_by_one_percent_are_noticed(
    published: tuple[QMapLearner, golden_networks.Figures],
) -> None:
    learner, figures = published
    for key in sorted(figures):
        # The target network only picks actions, and gradients that are clipped hide the scale of
        # the importance weights: those may be a little off.
        if figures[key].dtype.kind == "f" and not key.startswith(("target/", "weights", "done")):
            wrong = {**figures, key: figures[key] * 1.01}
            measured = golden_networks.three_steps(learner, wrong)
            with pytest.raises(AssertionError):
                golden_networks.assert_as_published(measured, wrong)


def small_network(**options: object) -> keras.Model:
    """A Q-frame network for observations of 1 x 1 pixels and a goal grid of one cell."""
    return ConvQFrames(
        (1, 1, 1), N_ACTIONS, encoder=[(4, 1, 1)], hidden=[6], decoder=[], last=(1, 1), **options
    )


def cell_batch(seed: int) -> Transitions:
    """Transitions on a grid of one cell."""
    batch = random_batch(seed)
    nowhere = np.zeros_like(batch.rows)
    return batch._replace(rows=nowhere, cols=nowhere, window_shifts=nowhere)


def small_learner(**options: object) -> QMapLearner:
    keras.utils.set_random_seed(0)
    settings_ = {"learning_rate": 0.01, "gamma": GAMMA, "clip_norm": 1000.0}
    return QMapLearner(lambda: small_network(**options), **settings_)


def test_a_sigmoid_learns_by_the_cross_entropy_of_its_probabilities() -> None:
    learner, batch = small_learner(sigmoid=True), cell_batch(0)
    q = learner.q_frames(batch.observations)[np.arange(8), 0, 0, batch.actions]
    weights = np.linspace(0.1, 1.0, 8)
    update = learner.train(batch, weights)
    # The one cell is the one that was reached, whatever the step.
    assert update.loss == pytest.approx(float((weights * -np.log(q)).mean()), rel=1e-4)
    np.testing.assert_allclose(update.errors, 1.0 - q, rtol=1e-4)
    assert learner.q_frames(batch.observations).min() > 0.0
    for seed in range(100):
        learner.train(cell_batch(seed), weights)
    assert learner.train(batch, weights).loss < 0.3 * update.loss


def test_both_networks_take_away_the_mean_of_what_was_trained_on() -> None:
    learner = small_learner(center=True)
    batches = [cell_batch(seed) for seed in range(3)]
    for batch in batches:
        learner.train(batch, np.ones(8))
    mean = np.mean([batch.observations for batch in batches], axis=(0, 1))
    for network in (learner.online, learner.target):
        np.testing.assert_allclose(network.mean_frame.mean.numpy(), mean, rtol=1e-5)
        assert network.mean_frame.count.numpy().tolist() == [24.0]


def test_who_starts_from_another_level_takes_the_mean_of_this_one_away() -> None:
    learner, other = small_learner(center=True), small_learner(center=True)
    old, new = cell_batch(0), cell_batch(1)
    learner.train(old, np.ones(8))
    other.start_from(learner.weights())
    before = other.online.mean_frame.mean.numpy()
    np.testing.assert_allclose(before, old.observations.mean(axis=0), rtol=1e-5)
    other.train(new, np.ones(8))
    for network in (other.online, other.target):
        np.testing.assert_allclose(
            network.mean_frame.mean.numpy(), new.observations.mean(axis=0), rtol=1e-4
        )


def test_a_learner_is_centered_on_what_it_is_shown() -> None:
    learner, plain = small_learner(center=True), small_learner()
    assert (learner.centers, plain.centers) == (True, False)
    learner.train(cell_batch(0), np.ones(8))
    shown = cell_batch(1).observations
    before = plain.q_frames(shown)
    for each in (learner, plain):
        each.center_on(shown)
    for network in (learner.online, learner.target):
        np.testing.assert_allclose(network.mean_frame.mean.numpy(), shown.mean(axis=0), rtol=1e-4)
    np.testing.assert_array_equal(plain.q_frames(shown), before)


def test_a_learner_that_centers_goes_on_exactly_where_its_weights_were_saved() -> None:
    learner, other = (
        small_learner(center=True, sigmoid=True),
        small_learner(center=True, sigmoid=True),
    )
    for seed in range(3):
        learner.train(cell_batch(seed), np.ones(8))
    other.restore_weights(learner.weights())
    losses = [each.train(cell_batch(9), np.ones(8)).loss for each in (learner, other)]
    assert losses[0] == losses[1]
