"""The demo's stage: its own paths and ports, in a folder that one demo has for itself."""

from pathlib import Path

import pytest

from shebao.codecs.settings import load_switch
from shebao.simulators import staging

ROOT = Path(__file__).resolve().parents[2]


def test_the_shipped_configuration_is_rewritten(tmp_path: Path) -> None:
    folder = tmp_path / "医保 demo"
    text = (ROOT / "etc" / "switch.toml").read_text(encoding="utf-8")
    settings = load_switch(staging.rewritten(text, folder, None), "switch.toml")
    original = load_switch(text, "switch.toml")
    assert settings.database == f"sqlite:///{folder / 'shebao.db'}"
    assert settings.state_dir == str(folder) and settings.master_key_file == str(folder / "master.key")
    assert {bank.cutover.isoformat() for bank in settings.banks.values()} == {staging.CUT_OVER}
    ports = [settings.admin_listen.port, *(bank.listen.port for bank in settings.banks.values())]
    assert len(set(ports)) == len(ports) == 1 + len(original.banks)
    assert not set(ports) & {bank.listen.port for bank in original.banks.values()}
    assert [bank.institution for bank in settings.banks.values()] == [b.institution for b in original.banks.values()]


def test_another_database_is_taken_over(tmp_path: Path) -> None:
    text = (ROOT / "etc" / "switch.toml").read_text(encoding="utf-8")
    url = "postgresql+psycopg://shebao@/demo?host=/run/postgresql"
    assert load_switch(staging.rewritten(text, tmp_path, url), "x").database == url


def test_a_stage_has_wires_for_every_bank(tmp_path: Path) -> None:
    stage = staging.build(tmp_path, ROOT / "etc" / "switch.toml", None, 5)
    assert list(stage.wires) == list(stage.keys) == list(stage.settings.banks)
    assert len(set(stage.keys.values())) == len(stage.keys)
    assert all(byte.bit_count() % 2 == 1 for key in stage.keys.values() for byte in bytes.fromhex(key))
    assert stage.keys == staging.build(tmp_path, ROOT / "etc" / "switch.toml", None, 5).keys


def test_one_demo_at_a_time_and_each_begins_anew(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with staging.claim(folder):
        (folder / "old").write_text("x")
        with pytest.raises(staging.StageTaken, match="another run"):
            staging.claim(folder)
        assert (folder / "old").exists()
    with staging.claim(folder):
        assert list(folder.iterdir()) == []


def test_ports_differ() -> None:
    assert len(set(staging.free_ports(8))) == 8
