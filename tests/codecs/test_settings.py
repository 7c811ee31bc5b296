"""switch.toml: right values come out, everything else is one clear line (operations.md, Configuration)."""

import datetime
from dataclasses import fields
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shebao.codecs.settings import Limits, Listen, SettingsError, SwitchSettings, allowed, load_switch

SHIPPED = Path(__file__).parents[2] / "etc" / "switch.toml"

SMALL = """\
[switch]
institution = "33011000"
database = "sqlite:///var/shebao.db"
state_dir = "var"
master_key_file = "var/master.key"
[admin]
listen = "127.0.0.1:8580"
[banks.rcb]
name = "余杭农村商业银行"
institution = "14293300"
dialect = "rcb"
listen = "127.0.0.1:8581"
allow = ["127.0.0.1/32"]
cutover = "23:00:00"
[banks.icbc]
name = "中国工商银行"
institution = "01020000"
dialect = "icbc"
listen = "127.0.0.1:8582"
allow = ["10.0.0.0/8", "fd00::/8"]
cutover = "22:30:15"
"""


def load(text: str = SMALL, env: dict[str, str] | None = None) -> SwitchSettings:
    return load_switch(text, "switch.toml", env)


def refusal(text: str, env: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        load(text, env)
    line = str(refused.value)
    assert "\n" not in line and len(line) < 400
    return line


# What is right


def test_the_shipped_file():
    settings = load_switch(SHIPPED.read_text(encoding="utf-8"), "etc/switch.toml")
    assert settings.limits == Limits()
    assert [(b.key, b.number, b.listen.port, b.book_id) for b in settings.banks.values()] == [
        ("rcb", "01", 8581, 100), ("icbc", "02", 8582, 200), ("ccb", "03", 8583, 300), ("boc", "04", 8584, 400),
    ]  # fmt: skip


def test_the_shipped_file_shows_every_limit_with_its_default_and_explains_every_key():
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    for limit in fields(Limits):
        assert f"{limit.name} = {limit.default}" in lines
        least, most = limit.metadata["least"], limit.metadata["most"]
        assert f"({least} to {most})" in lines[lines.index(f"{limit.name} = {limit.default}") - 1]
    first_bank = lines.index("[banks.icbc]")
    keys = [i for i, line in enumerate(lines[:first_bank]) if " = " in line and not line.startswith("#")]
    assert keys and all(lines[i - 1].startswith("#") for i in keys)


def test_every_value():
    settings = load()
    assert settings.institution == "33011000"
    assert settings.database == "sqlite:///var/shebao.db"
    assert (settings.state_dir, settings.master_key_file) == ("var", "var/master.key")
    assert settings.admin_listen == Listen("127.0.0.1", 8580)
    assert settings.operators_identity == "declared"
    assert settings.limits == Limits()
    icbc = settings.banks["icbc"]
    assert list(settings.banks) == ["rcb", "icbc"]
    assert (icbc.name, icbc.number, icbc.institution, icbc.dialect) == ("中国工商银行", "02", "01020000", "icbc")
    assert icbc.allow == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    assert icbc.cutover == datetime.time(22, 30, 15)
    assert icbc.tls is None


def test_limits_and_operators():
    settings = load(SMALL + '[operators]\nidentity = "os"\n[limits]\nbatch_max = 1\nheartbeat_s = 5\n')
    assert settings.operators_identity == "os"
    assert (settings.limits.batch_max, settings.limits.heartbeat_s, settings.limits.silence_s) == (1, 5, 180)


def test_the_environment_overrides():
    env = {
        "SHEBAO_DATABASE": "postgresql+psycopg://u@/db?host=h1:1&host=h2:2",
        "SHEBAO_STATE_DIR": "/srv/社保 1",
        "SHEBAO_MASTER_KEY_FILE": "",  # empty is as if it were not set
        "SHEBAO_OTHER": "x",
    }
    settings = load(env=env)
    assert settings.database == env["SHEBAO_DATABASE"]
    assert settings.state_dir == "/srv/社保 1"
    assert settings.master_key_file == "var/master.key"


def test_ipv6_ports_and_ports_that_the_system_chooses():
    text = SMALL.replace("127.0.0.1:8581", "[::]:0").replace("127.0.0.1:8582", "[::1]:0")
    assert [bank.listen for bank in load(text).banks.values()] == [Listen("::", 0), Listen("::1", 0)]


# Who may connect


@pytest.mark.parametrize(
    ("allow", "peer", "may"),
    [
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:11.1.2.3", False),
        ("10.0.0.0/8", "::10.1.2.3", False),
        ("::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", True),
        ("::/0", "10.1.2.3", False),
        ("fd00::/8", "fd12::1", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("0.0.0.0/0", "203.0.113.9", True),
        ("0.0.0.0/0", "", False),
        ("0.0.0.0/0", "unix:/run/x", False),
    ],
)
def test_allowed(allow, peer, may):
    bank = load(SMALL.replace("127.0.0.1/32", allow)).banks["rcb"]
    assert allowed(bank, peer) is may


# What is wrong: old text, new text, what the error says

WRONG = [
    ('state_dir = "var"\n', "", 'switch.toml: switch.state_dir: is missing; write a folder, such as "var"'),
    ('state_dir = "var"', "state_dir = 3", "switch.state_dir: 3 is a whole number; write a folder"),
    ('state_dir = "var"', 'state_dir = "v\\u0000"', "switch.state_dir: can't be used; write a folder"),
    ('state_dir = "var"', 'statedir = "var"', "switch.state_dir: is missing"),
    ("[admin]", "colour = 1\n[admin]", "switch.toml: switch.colour: unknown key; known here: database, institution,"),
    ("[admin]", "[amdin]", "switch.toml: admin: is missing; write a table [admin]"),
    ("[admin]", "[web]\n[admin]", "switch.toml: web: unknown key; known here: admin, banks, limits, operators, switch"),
    ("[admin]", '["we\\nb"]\n[admin]', 'switch.toml: "we\\nb": unknown key'),
    ("[admin]", '[operators]\nidentity = "ldap"\n[admin]', 'operators.identity: "ldap" can\'t be used; write one of '),
    ("[admin]", "[limits]\nbatch_max = 0\n[admin]", "limits.batch_max: 0 is out of range; write a whole number from "),
    ("[admin]", "[limits]\nbatch_max = true\n[admin]", "limits.batch_max: true is a boolean; write a whole number"),
    ("[admin]", "[limits]\nbatch_max = 1.5\n[admin]", "limits.batch_max: 1.5 is a number with a fraction; write"),
    ("[admin]", "[limits]\nbatchmax = 1\n[admin]", "limits.batchmax: unknown key; known here: "),
    ("[admin]", "[limits]\nsilence_s = 60\n[admin]", "limits.silence_s: 60 s of silence would close lines that send"),
    ('"33011000"', "33011000", "switch.institution: 33011000 is a whole number; write 1 to 11 digits in quotes"),
    ('"33011000"', '"330110001234"', 'institution: "330110001234" can\'t be used; write 1 to 11 digits'),
    ('"14293300"', '"１４２９"', "banks.rcb.institution: "),
    ('"14293300"', '""', 'banks.rcb.institution: "" can\'t be used; write 1 to 11 digits'),
    ("sqlite:///var/shebao.db", "postgresql://u:secret@h/d", "switch.database: can't be used; write "),
    ("sqlite:///var/shebao.db", "sqlite://", 'write "sqlite:///FILE" or "postgresql+psycopg://USER@HOST/NAME"'),
    ("127.0.0.1:8580", "8580", "admin.listen: '8580' can't be used; write an IP address and a port, such as"),
    ("127.0.0.1:8580", "localhost:8580", "admin.listen: 'localhost:8580' can't be used"),
    ("127.0.0.1:8580", "127.0.0.256:8580", "admin.listen: "),
    ("127.0.0.1:8580", "127.0.0.1:65536", "admin.listen: "),
    ("127.0.0.1:8580", "127.0.0.1:８５８０", "admin.listen: "),
    ("127.0.0.1:8581", "127.0.0.1:8580", "banks.rcb.listen: port 8580 is that of [admin] too; give each bank a port"),
    ("127.0.0.1:8582", "127.0.0.1:8581", "banks.icbc.listen: port 8581 is that of [banks.rcb] too"),
    ('"127.0.0.1/32"', '"127.0.0.1/24"', 'banks.rcb.allow: "127.0.0.1/24" has bits set after its prefix; write '
     '"127.0.0.0/24"'),
    ('"127.0.0.1/32"', '"localhost"', "banks.rcb.allow: 'localhost' is no network; write a list of networks"),
    ('"127.0.0.1/32"', "1", "banks.rcb.allow: 1 in the list is a whole number"),
    ('["127.0.0.1/32"]', '"127.0.0.1/32"', 'banks.rcb.allow: "127.0.0.1/32" is text; write a list of networks'),
    ('["127.0.0.1/32"]', "[]", "banks.rcb.allow: names no network"),
    ('"23:00:00"', "23:00:00", "banks.rcb.cutover: 23:00:00 is a date or time; write hours, minutes, seconds"),
    ('"23:00:00"', '"24:00:00"', 'banks.rcb.cutover: "24:00:00" can\'t be used; write hours'),
    ('"23:00:00"', '"23:00"', "banks.rcb.cutover: "),
    ('dialect = "rcb"', 'dialect = "../rcb"', 'banks.rcb.dialect: "../rcb" can\'t be used; write the name of a dia'),
    ('dialect = "rcb"', 'dialect = "rcb"\nnumber = "02"', 'banks.icbc.number: "02" is the number of rcb too'),
    ('dialect = "rcb"', 'dialect = "rcb"\nnumber = 1', 'banks.rcb.number: 1 is a whole number; write "01" to "99"'),
    ('dialect = "rcb"', 'dialect = "rcb"\nnumber = "00"', 'banks.rcb.number: "00" can\'t be used; write "01" to "99"'),
    ('dialect = "rcb"', 'dialect = "rcb"\nlane = 1', "banks.rcb.lane: unknown key; known here: allow, cutover, "),
    ("余杭农村商业银行", "", "banks.rcb.name: "),
    ("[banks.rcb]", "[banks.RCB]", "banks.RCB: is no name for a bank; write 1 to 8 of a-z and 0-9, a letter first"),
    ("[banks.rcb]", "[banks]\nx = 1\n[banks.rcb]", "banks.x: 1 is a whole number; write a table [banks.x]"),
    ("[admin]", "[admin", "switch.toml: line 6: not TOML: "),
    ('"33011000"', '"33011000', "switch.toml: line 2: not TOML: "),
    ("[admin]", 'state_dir = "x"\n[admin]', "switch.toml: line 6: not TOML: cannot overwrite a value"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG)
def test_what_is_wrong_is_said(old, new, said):
    assert old in SMALL
    line = refusal(SMALL.replace(old, new, 1))
    assert line.startswith("switch.toml: ") and said in line


def test_every_required_key_is_missed():
    lines = SMALL.splitlines(keepends=True)
    for i, line in enumerate(lines):
        if " = " in line:
            assert "is missing" in refusal("".join(lines[:i] + lines[i + 1 :])), line


def test_no_bank():
    assert "banks: is missing; write one table per bank" in refusal(SMALL.split("[banks.rcb]")[0])
    assert "banks: 0 banks; write 1 to 99 tables" in refusal(SMALL.split("[banks.rcb]")[0] + "[banks]\n")


def test_a_password_is_not_shown():
    bad = "mysql://u:secret@h/d"
    assert "secret" not in refusal(SMALL.replace("sqlite:///var/shebao.db", bad))
    line = refusal(SMALL, {"SHEBAO_DATABASE": bad})
    assert "secret" not in line and line.startswith("environment: SHEBAO_DATABASE: can't be used; write sqlite:///FILE")


TLS = 'tls = {{ certificate = "c.pem", key = "k.pem", client_ca = "{}" }}\n'


def test_tls_is_refused_and_never_ignored():
    line = refusal(SMALL + TLS.format("ca.pem"))
    assert line == "switch.toml: banks.icbc.tls: not supported yet; leave the key tls out, and use a private line"


def test_two_banks_must_not_share_an_authority():
    text = SMALL.replace("[banks.icbc]", TLS.format("ca.pem") + "[banks.icbc]") + TLS.format("ca.pem")
    assert "banks.icbc.tls: client_ca is that of rcb too" in refusal(text)


def test_a_wrong_tls_table():
    assert "banks.icbc.tls.client_ca: is missing; write the path of a PEM file" in refusal(
        SMALL + 'tls = { certificate = "c", key = "k" }\n'
    )
    assert "banks.icbc.tls.ca: unknown key" in refusal(
        SMALL + 'tls = { certificate = "c", key = "k", client_ca = "a", ca = "b" }\n'
    )
    assert "banks.icbc.tls: true is a boolean; write a table" in refusal(SMALL + "tls = true\n")


# Garbage


@pytest.mark.parametrize("key", ["institution", "database", "more"])
def test_a_number_of_more_digits_than_python_writes(key):
    """Read from hex there is no limit, written in decimal there is."""
    text = f"[switch]\n{key} = 0x{'f' * 4000}\n" + SMALL.partition("[switch]\n")[2].replace(f"{key} =", "other =")
    assert refusal(text).startswith("switch.toml: ")


@pytest.mark.parametrize("part", ["a", "a-1", '"a b"', "'x'", r'"\""', r'"\\"'])
@pytest.mark.parametrize("dot", [".", " .\t"])
def test_a_key_of_too_many_parts_is_refused_before_it_costs_hours(part, dot):
    for text in (dot.join([part] * 100_000) + " = 1", f"[{dot.join([part] * 100_000)}]"):
        assert refusal(f"# one\n{text}\n") == (
            "switch.toml: line 2: a key of more than 20 parts; write tables a few levels deep"
        )


@pytest.mark.parametrize("text", ["a" * 1_000_000, "'" * 1_000_000, '"\\' * 500_000, "a" + " " * 1_000_000, "a." * 9])
def test_looking_for_such_a_key_takes_no_longer_than_the_text(text):
    assert "not TOML" in refusal(text)


def load_or_refuse(text: str) -> None:
    try:
        load(text)
    except SettingsError as refused:
        assert str(refused).isprintable() and len(str(refused)) < 400


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    load_or_refuse(text)
    load_or_refuse(SMALL + text)


values = st.sampled_from(
    ['""', '"x"', "0", "-1", "9" * 5000, "1e400", "nan", "true", "[]", "{}", "[[1]]", "23:00:00", "1979-05-27",
     '"\\u0000"', '"\\uFFFF"', '"☃"', '["::/0"]', '["1.2.3.4/0"]', '"[::]:1"', '"[]:1"', "[" * 3000, "{a=" * 3000,
     "2021-13-41", '"01"', "0x1F", '"127.0.0.1:8581"']
)  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 19), values), min_size=1, max_size=3))
def test_any_value_is_read_or_refused(changes):
    lines = SMALL.splitlines()
    for at, value in changes:
        if " = " in lines[at]:
            lines[at] = lines[at].split(" = ")[0] + " = " + value
    load_or_refuse("\n".join(lines))


@given(st.integers(0, len(SMALL)), st.integers(0, 30), st.text(max_size=5))
def test_any_damage_is_read_or_refused(at, cut, put):
    load_or_refuse(SMALL[:at] + put + SMALL[at + cut :])
