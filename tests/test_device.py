"""What `--device` and `--precision` do to the networks that are made after them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from qmap.agents import device
from qmap.agents.layers import DenseNorm, MeanFrame
from qmap.agents.networks import ConvQFrames
from qmap.agents.q_map import QMapLearner
from qmap.agents.replay import Transitions
from qmap.utils.errors import UserError

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
SHAPE = (12, 16, 3)
LEARNING = {"learning_rate": 1e-3, "gamma": 0.9, "clip_norm": 1000.0}


@pytest.fixture(autouse=True)
def float32_afterwards() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def can_multiply_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_has_bfloat16", lambda _gpus: True)


def make_network() -> ConvQFrames:
    encoder, decoder = [(4, 4, 2), (6, 3, 2)], [(6, 3, 2)]
    return ConvQFrames(SHAPE, 5, encoder=encoder, hidden=[10], decoder=decoder, last=(4, 2))


def make_batch(generator: np.random.Generator, count: int = 6) -> Transitions:
    return Transitions(
        observations=generator.integers(256, size=(count, *SHAPE), dtype=np.uint8),
        actions=generator.integers(5, size=count, dtype=np.int32),
        rewards=np.zeros((count, 1), np.float32),
        next_observations=generator.integers(256, size=(count, *SHAPE), dtype=np.uint8),
        rows=generator.integers(12, size=(count, 1), dtype=np.int32),
        cols=generator.integers(16, size=(count, 1), dtype=np.int32),
        window_shifts=np.zeros((count, 1), np.int32),
        terminals=np.zeros((count, 1), bool),
        lengths=np.ones(count, np.int32),
    )


def test_a_gpu_that_is_not_there_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _kind: [])
    with pytest.raises(UserError, match="finds no GPU; expected one for --device gpu") as error:
        device.set_up(device="gpu")
    assert "\n" not in str(error.value)


def test_a_processor_without_bfloat16_says_so_and_goes_on_in_float32(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "_has_bfloat16", lambda _gpus: False)
    device.set_up(device="cpu", precision="bfloat16")
    assert "does not multiply in bfloat16: going on in float32" in capsys.readouterr().err
    assert make_network().compute_dtype == "float32"


def test_a_processor_is_asked_by_the_names_of_its_instructions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = "flags\t\t: fpu sse avx512f"
    monkeypatch.setattr(device.Path, "is_file", lambda _path: True)
    monkeypatch.setattr(device.Path, "read_text", lambda _path: flags)
    assert not device._has_bfloat16([])
    monkeypatch.setattr(device.Path, "read_text", lambda _path: f"{flags} avx512_bf16 sha_ni")
    assert device._has_bfloat16([])


@pytest.mark.usefixtures("can_multiply_in_bfloat16")
def test_bfloat16_is_for_the_convolutions_and_for_neither_weights_nor_q_values() -> None:
    device.set_up(device="cpu", precision="bfloat16")
    network = make_network()
    convolutions = [*network.encoder, *network.advantage, *network.value]
    assert {layer.compute_dtype for layer in convolutions} == {"bfloat16"}
    assert {layer.compute_dtype for layer in network.hidden} == {"float32"}
    assert {variable.dtype for variable in network.weights} == {"float32"}
    observations = make_batch(np.random.default_rng(0)).observations
    assert network(observations).dtype == tf.float32


@pytest.mark.usefixtures("can_multiply_in_bfloat16")
@pytest.mark.parametrize("layer_norm", [False, True])
def test_bfloat16_does_not_round_what_dense_layers_return(layer_norm: bool) -> None:
    device.set_up(device="cpu", precision="bfloat16")
    layer = DenseNorm(2, "linear", layer_norm)
    layer(tf.zeros((1, 1)))
    last = layer.norm.beta if layer_norm else layer.dense.bias
    last.assign([40.01, 40.02])  # of bfloat16 both are 40
    assert layer(tf.zeros((1, 1), tf.bfloat16)).numpy()[0] == pytest.approx([40.01, 40.02])


@pytest.mark.usefixtures("can_multiply_in_bfloat16")
def test_bfloat16_does_not_round_the_mean_frame() -> None:
    device.set_up(device="cpu", precision="bfloat16")
    layer = MeanFrame()
    layer(tf.zeros((1, 1, 1, 1), tf.uint8))
    layer.mean.assign([[[200.4]]])  # of bfloat16 200
    seen = layer(tf.constant([[[[232]]]], tf.uint8))
    assert float(seen[0, 0, 0, 0]) == pytest.approx((232 - 200.4) / 32)


@pytest.mark.usefixtures("can_multiply_in_bfloat16")
def test_bfloat16_learns_nearly_what_float32_learns() -> None:
    batch = make_batch(np.random.default_rng(0))
    learners = {}
    for precision in device.PRECISIONS:
        device.set_up(device="cpu", precision=precision)
        keras.utils.set_random_seed(0)
        learners[precision] = QMapLearner(make_network, **LEARNING)
    losses = {
        precision: [learner.train(batch, np.ones(6, np.float32)).loss for _ in range(20)]
        for precision, learner in learners.items()
    }
    assert losses["bfloat16"] != losses["float32"]
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.05)
    for moments in learners["bfloat16"].optimizer.state().values():
        assert moments.dtype == np.float32


def test_tensorflow_gets_no_more_threads_than_the_process_has_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = {}
    for kind in ("inter", "intra"):
        name = f"set_{kind}_op_parallelism_threads"
        monkeypatch.setattr(
            tf.config.threading, name, lambda count, kind=kind: asked.update({kind: count})
        )
    for told, expected in (("1", (1, 1)), ("2", (2, 1)), ("9", (2, 4))):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        device.set_up(device="cpu")
        assert (asked["inter"], asked["intra"]) == expected


@pytest.mark.parametrize(("wish", "used"), [(None, "1"), ("0", "0")])
def test_the_faster_convolutions_are_on_unless_the_user_wants_others(
    wish: str | None, used: str
) -> None:
    environment = {name: value for name, value in os.environ.items() if name != ONEDNN}
    environment |= {} if wish is None else {ONEDNN: wish}
    said = subprocess.run(
        [sys.executable, "-c", f"import os, qmap; print(os.environ[{ONEDNN!r}])"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == used
