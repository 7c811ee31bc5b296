"""The master key file and the sealing of bank keys."""

import os
from itertools import count

import pytest

from shebao.ledger.secrets import SecretsError, create_master, load_master, open_key, seal_key


def fake_random():
    numbers = count(1)
    return lambda size: bytes([next(numbers)]) * size


def test_a_file_is_made_once_private_and_read_back(tmp_path):
    path = tmp_path / "deep" / "master.key"
    master = create_master(path, fake_random())
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_master(path) == master
    before = path.read_bytes()
    with pytest.raises(SecretsError, match="never overwritten"):
        create_master(path, fake_random())
    assert path.read_bytes() == before


def test_a_link_in_its_place_is_not_followed(tmp_path):
    path = tmp_path / "master.key"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretsError):
        create_master(path, fake_random())
    assert not (tmp_path / "elsewhere").exists()


def test_an_open_file_is_refused_with_the_command_that_mends_it(tmp_path):
    path = tmp_path / "master.key"
    create_master(path, fake_random())
    path.chmod(0o640)
    with pytest.raises(SecretsError, match="chmod 600"):
        load_master(path)


@pytest.mark.parametrize("text", ["", "aes = 00", "aes = xx\n", "aes = " + "00" * 32, "\u00e9", "aes"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "master.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(SecretsError) as caught:
        load_master(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(SecretsError, match="keyctl init"):
        load_master(tmp_path / "none")


def test_a_sealed_key_opens_only_for_its_bank_kind_and_master(tmp_path):
    master = create_master(tmp_path / "a", fake_random())
    other = create_master(tmp_path / "b", os.urandom)
    sealed = seal_key(master, "rcb", "mac", b"k" * 16, os.urandom)
    assert b"k" * 8 not in sealed
    assert open_key(master, "rcb", "mac", sealed) == b"k" * 16
    for wrong in [
        (master, "icbc", "mac", sealed),
        (master, "rcb", "zone", sealed),
        (other, "rcb", "mac", sealed),
        (master, "rcb", "mac", sealed[:-1]),
        (master, "rcb", "mac", b""),
    ]:
        with pytest.raises(SecretsError):
            open_key(*wrong)


def test_no_secret_in_a_repr(tmp_path):
    master = create_master(tmp_path / "a", os.urandom)
    assert master.aes.hex() not in repr(master) and repr(master.aes) not in repr(master)
