import json
from dataclasses import replace
from pathlib import Path

import pytest

from demo.settings import (
    OverlayOptions,
    Settings,
    load_settings,
    needs_restart,
    save_settings,
    settings_path,
    with_changes,
)
from digit.errors import UserError

CHOSEN = Settings(
    camera=2, backend="torch", focal_px=900.5, mirror=True, overlay=OverlayOptions(parts=False, opacity=0.3)
)


def test_round_trip() -> None:
    save_settings(CHOSEN)
    assert load_settings() == (CHOSEN, "")


def test_a_path_of_one_run_is_not_kept(tmp_path: Path) -> None:
    save_settings(replace(CHOSEN, source="video", path=tmp_path, weights=tmp_path))
    assert load_settings() == (CHOSEN, "")


def test_no_file_is_no_fault() -> None:
    assert load_settings() == (Settings(), "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"overlay": 3}',
        '{"camera": "0"}',
        '{"camera": true}',
        '{"camera": -1}',
        '{"fov_deg": 400}',
        '{"smooth": 1}',
        '{"backend": null}',
        '{"overlay": {"opacity": 2}}',
        '{"focal_px": NaN}',
    ],
)
def test_a_broken_file_gives_defaults_and_says_so(text: str) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(text)
    settings, notice = load_settings()
    assert settings == Settings()
    assert str(settings_path()) in notice
    assert "defaults" in notice


def test_names_of_other_versions_are_skipped() -> None:
    save_settings(CHOSEN)
    settings_path().write_text(json.dumps(json.loads(settings_path().read_text()) | {"from_the_future": 1}))
    assert load_settings() == (CHOSEN, "")


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="make that folder writable"):
        save_settings(CHOSEN, tmp_path / "file" / "settings.json")


def test_what_needs_a_restart() -> None:
    assert not needs_restart(Settings(), Settings(smooth=False, prior=False, fov_deg=70, mirror=True))
    assert needs_restart(Settings(), Settings(camera=1))
    assert needs_restart(Settings(), Settings(backend="torch"))


def test_a_replay_needs_no_restart_for_another_network(tmp_path: Path) -> None:
    replay = Settings(source="session", path=tmp_path)
    assert not needs_restart(replay, replace(replay, backend="torch", model="digit-w32"))
    assert needs_restart(replay, replace(replay, path=tmp_path / "other"))
    assert needs_restart(replay, replace(replay, source="video"))


def test_only_changes_are_taken_over() -> None:
    run = replace(CHOSEN, focal_px=1400.0, backend="auto")
    assert with_changes(CHOSEN, run, replace(run, smooth=False)) == replace(CHOSEN, smooth=False)
