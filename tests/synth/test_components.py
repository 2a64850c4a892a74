"""What the engine can leave out: each part is gone, and what is left stays a labelled picture."""

from pathlib import Path

import numpy as np
import pytest

from digit.errors import UserError
from digit.skeleton import SIDES
from digit.synth import backgrounds, generate, scenes
from digit.synth.__main__ import main
from digit.synth.appearance import sample_look
from digit.synth.components import COMPONENTS, KINDS, simplified
from digit.synth.contact import gap_mm
from digit.synth.generate import Picture, picture
from digit.synth.hand_model import HandModel
from digit.synth.scenes import sample_scene

SEED, COUNT = 11, 24


def scenes_without(model: HandModel, name: str) -> list[scenes.SyntheticScene]:
    return [sample_scene(np.random.default_rng([2, i]), model, 320, frozenset([name])) for i in range(COUNT)]


@pytest.mark.parametrize("name", COMPONENTS | KINDS)
def test_pictures_without_a_part_differ_and_keep_true_labels(pictures: list[Picture], name: str) -> None:
    made = [picture(SEED, i, frozenset([name])) for i in range(6)]
    assert any(not np.array_equal(one.image, other.image) for one, other in zip(made, pictures, strict=False))
    for one in made:
        valid = one.joint_valid > 0
        projected = one.joints_mm[valid] @ one.K.T
        np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], one.joints_px[valid], atol=0.05)
        sides = [bool(((one.parts > 16 * i) & (one.parts <= 16 * (i + 1))).any()) for i in range(len(SIDES))]
        assert sides == one.hands.astype(bool).tolist()


def test_no_photograph_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backgrounds, "photographs", lambda: pytest.fail("a photograph was asked for"))
    for i in range(COUNT):
        generate.in_room(
            generate.shared_renderer(64).draw({}, np.diag([64.0, 64.0, 1.0]), sample_look(np.random.default_rng(i))),
            np.random.default_rng(i), 64, frozenset(["photographs"]),
        )  # fmt: skip


def test_hands_that_do_not_meet(model: HandModel) -> None:
    together = [scene for scene in scenes_without(model, "touching") if len(scene.hands) == 2]
    assert len(together) > COUNT / 3
    gaps = [gap_mm(scene.hands) for scene in together]
    assert min(gaps) > -0.01 and np.median(gaps) > 20


def test_no_hand_alone(model: HandModel) -> None:
    made = scenes_without(model, "alone")
    assert all(len(scene.hands) == 2 for scene in made)
    assert np.median([gap_mm(scene.hands) for scene in made]) < 10


def test_one_hand_beside_the_place_of_another(model: HandModel) -> None:
    made = scenes_without(model, "pairs")
    assert all(len(scene.hands) == 1 for scene in made)
    assert {side for scene in made for side in scene.hands} == set(SIDES)
    alone = [scene for scene in scenes_without(model, "photographs") if len(scene.hands) == 1]
    assert np.median([share_of_picture(s) for s in made]) < 0.75 * np.median([share_of_picture(s) for s in alone])


def test_the_box_of_a_hand_alone_holds_the_place_of_the_other(pictures: list[Picture]) -> None:
    shares = []
    for made in (picture(SEED, i, frozenset(["pairs"])) for i in range(8)):
        seen = made.joints_px[made.joint_valid > 0]
        low, high = seen.min(axis=0), seen.max(axis=0)
        assert (made.bbox[:2] <= low).all() and (high <= made.bbox[:2] + made.bbox[2:]).all()
        assert (made.bbox[:2] >= 0).all() and (made.bbox[:2] + made.bbox[2:] <= generate.SIZE - 1).all()
        shares.append((high - low).max() / made.bbox[2:].max())
    assert np.median(shares) < 0.8
    for made in pictures:
        seen = made.joints_px[made.joint_valid > 0]
        np.testing.assert_array_equal(made.bbox, [*seen.min(axis=0), *np.ptp(seen, axis=0)])


def share_of_picture(scene: scenes.SyntheticScene) -> float:
    """The longer side of the box around all hands, in sides of the picture."""
    joints = np.concatenate([hand.joints_mm for hand in scene.hands.values()]) @ scene.K.T
    return float(np.ptp(joints[:, :2] / joints[:, 2:], axis=0).max()) / 320


def test_one_body_one_lens_and_plain_shapes(model: HandModel) -> None:
    bones = [
        np.linalg.norm(hand.joints_mm[20] - hand.joints_mm[11])
        for scene in scenes_without(model, "bodies")
        for hand in scene.hands.values()
    ]
    assert (
        np.ptp(bones)
        < 0.5
        < np.ptp(
            [
                np.linalg.norm(hand.joints_mm[20] - hand.joints_mm[11])
                for scene in scenes_without(model, "photographs")
                for hand in scene.hands.values()
            ]
        )
    )
    assert all(scene.bend == 0 for scene in scenes_without(model, "camera"))
    assert any(scene.bend != 0 for scene in scenes_without(model, "bodies"))
    for scene in scenes_without(model, "poses"):
        if len(scene.hands) == 1:
            (hand,) = scene.hands.values()
            reach = [np.linalg.norm(hand.joints_mm[tip] - hand.joints_mm[20]) for tip in (4, 8, 12)]
            assert min(reach) > 90  # no finger is curled


def test_a_look_without_clothes_skin_and_light() -> None:
    for seed in range(COUNT):
        look = sample_look(np.random.default_rng(seed))
        bare = simplified(look, frozenset(["clothes", "skin", "light"]))
        assert bare.sleeve_edge_mm < -1000 and bare.band[0] > 1000 and bare.ring[0] > 1000
        assert np.array_equal(bare.skin, bare.palm) and bare.creases == bare.veins == bare.gloss == 0
        assert not bare.light_colours.any() and bare.shadow_strength == 0
        assert simplified(look, frozenset()) is look


def test_a_folder_holds_one_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--out", str(tmp_path), "--count", "1", "--seed", "3"]
    assert main([*given, "--without", "people and things"]) == 0
    assert main(given) == 2
    engine = f"engine {generate.ENGINE}"
    assert f"a set of seed 3 of {engine} without people and things, not 3 of {engine}" in capsys.readouterr().err
    with pytest.raises(UserError):
        generate.generate(tmp_path, 1, 3, progress=False, without=frozenset(["skin"]))


def test_unknown_parts_and_wrong_tasks_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--out", str(tmp_path), "--count", "1", "--without", "hands"], ["--judge", "--without", "skin"]):
        with pytest.raises(SystemExit, match="2"):
            main(wrong)
    assert "goes with --out" in capsys.readouterr().err
