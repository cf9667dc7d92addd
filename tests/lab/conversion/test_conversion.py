"""TensorFlow checkpoints: one that TensorFlow 2.21 wrote, and a whole FaceNet that the test writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1

from homeface.errors import ModelError
from homeface.lab.conversion.checkpoint import TensorFlowCheckpoint
from homeface.lab.conversion.convert import convert
from homeface.lab.conversion.inception import SCOPE, layers
from tests.lab.conversion.writing import write_checkpoint

SMALL = Path(__file__).parent / "written_by_tensorflow" / "small-7"
"""``tf.compat.v1.train.Saver().save`` of four variables, by TensorFlow 2.21."""


def test_what_tensorflow_wrote_is_read() -> None:
    checkpoint = TensorFlowCheckpoint(SMALL.with_name("small-7.data-00000-of-00001"))
    values = {name: checkpoint.read(name) for name in checkpoint.entries}
    assert set(values) == {"weights/first", "weights/first_step", "bias", "scalar"}
    assert np.array_equal(values["weights/first"], np.arange(6, dtype=np.float32).reshape(2, 3) / 7)
    assert values["weights/first_step"].tolist() == 41
    assert values["bias"].dtype == np.float64
    assert values["bias"].tolist() == [1.5, -2.5]
    assert values["scalar"].tolist() == 3.25


def test_the_tests_own_writer_agrees_with_the_reader(tmp_path: Path) -> None:
    variables = {f"scope/layer_{n}/weights": np.full((2, n), n, np.float32) for n in range(1, 200)}
    write_checkpoint(tmp_path / "many", variables)
    checkpoint = TensorFlowCheckpoint(tmp_path / "many.index")
    assert set(checkpoint.entries) == set(variables)
    assert all(np.array_equal(checkpoint.read(name), value) for name, value in variables.items())


def facenet() -> InceptionResnetV1:
    """Random weights, batch statistics that are not trivial."""
    torch.manual_seed(1)
    network = InceptionResnetV1(pretrained=None).eval()
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "bn.bias")):
            value.normal_(0, 0.1)
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return network


def as_tensorflow(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    variables = {"global_step": np.int64(7)[()].reshape(())}
    norms = [(f"{layer.scope}/BatchNorm", f"{layer.module}.bn") for layer in layers() if layer.normalised]
    for layer in layers():
        name = f"{layer.module}.conv.weight" if layer.normalised else f"{layer.module}.weight"
        variables[f"{SCOPE}/{layer.scope}/weights"] = state[name].permute(2, 3, 1, 0).numpy()
        if not layer.normalised:
            variables[f"{SCOPE}/{layer.scope}/biases"] = state[f"{layer.module}.bias"].numpy()
    variables[f"{SCOPE}/Bottleneck/weights"] = state["last_linear.weight"].T.numpy()
    for scope, module in (*norms, ("Bottleneck/BatchNorm", "last_bn")):
        for theirs, ours in (
            ("beta", "bias"),
            ("moving_mean", "running_mean"),
            ("moving_variance", "running_var"),
        ):
            variables[f"{SCOPE}/{scope}/{theirs}"] = state[f"{module}.{ours}"].numpy()
    return variables


def test_a_whole_facenet_comes_out_as_it_was(tmp_path: Path) -> None:
    """The numpy reference goes by TensorFlow's names alone: a layer in the wrong place would show."""
    network = facenet()
    state = network.state_dict()
    variables = as_tensorflow(state)
    write_checkpoint(tmp_path / "model-275", variables)
    done = convert(tmp_path / "model-275", tmp_path / "facenet.pt")
    assert done.alike > 0.99999
    kept = torch.load(done.file, weights_only=True)
    assert all(torch.equal(kept[name], state[name]) for name in kept)
    whole = {name for name in state if "logits" not in name and "num_batches" not in name}
    assert set(kept) == whole

    # two layers of one shape in each other's place: the file would load, but the vectors are others
    first, second = (f"{SCOPE}/Repeat/block35_{n}/Branch_1/Conv2d_0b_3x3/weights" for n in (1, 5))
    pictures = np.random.default_rng(2).normal(0, 0.5, (2, 160, 160, 3)).astype(np.float32)
    with torch.no_grad():
        embeddings = network(torch.from_numpy(pictures).permute(0, 3, 1, 2)).numpy()
    np.savez(tmp_path / "expected.npz", pictures=pictures, embeddings=embeddings)
    variables[first], variables[second] = 4 * variables[second], variables[first]
    write_checkpoint(tmp_path / "swapped", variables)
    with pytest.raises(ModelError, match=r"other vectors than TensorFlow, in .*expected\.npz"):
        convert(tmp_path / "swapped", tmp_path / "never.pt", tmp_path / "expected.npz")
    assert not (tmp_path / "never.pt").exists()


@pytest.mark.parametrize(
    ("meddle", "told"),
    [
        (lambda content: content[:-60], "its last bytes are not those of such a table|too short"),
        (lambda content: b"", "too short"),
        (lambda content: b"\xff" * 40 + content[40:], "is no index of a TensorFlow checkpoint"),
    ],
)
def test_a_broken_index_is_told(meddle, told: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    content = SMALL.with_name("small-7.index").read_bytes()
    (tmp_path / "small-7.index").write_bytes(meddle(content))
    with pytest.raises(ModelError, match=told):
        TensorFlowCheckpoint(tmp_path / "small-7")


def test_every_cut_and_every_changed_byte_of_an_index_ends_in_a_sentence(tmp_path: Path) -> None:
    content = SMALL.with_name("small-7.index").read_bytes()
    broken = [content[:end] for end in range(0, len(content), 7)]
    broken += [content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :] for at in range(len(content))]
    refused = 0
    for case in broken:
        (tmp_path / "small-7.index").write_bytes(case)
        try:
            checkpoint = TensorFlowCheckpoint(tmp_path / "small-7")
            for name in checkpoint.entries:
                checkpoint.read(name)
        except ModelError:
            refused += 1
    assert refused > len(broken) // 2


def test_values_that_are_cut_off_are_told(tmp_path: Path) -> None:
    for part in ("index", "data-00000-of-00001"):
        content = SMALL.with_name(f"small-7.{part}").read_bytes()
        (tmp_path / f"small-7.{part}").write_bytes(content[:-9] if part != "index" else content)
    checkpoint = TensorFlowCheckpoint(tmp_path / "small-7")
    last = max(checkpoint.entries, key=lambda name: checkpoint.entries[name].offset)
    with pytest.raises(ModelError, match=f"ends before {last} does: copy it again"):
        checkpoint.read(last)


def test_another_network_and_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match="is no FaceNet of the kind Inception-ResNet V1: it has no Inception"
    ):
        convert(SMALL, tmp_path / "out.pt")
    with pytest.raises(ModelError, match="format V2, three files such as"):
        convert(tmp_path / "gone", tmp_path / "out.pt")
