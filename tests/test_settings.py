"""Settings: where each comes from, which wins, and what is refused."""

import re
from pathlib import Path

import pytest

from hamlet_trio.common.descriptions import allowed
from hamlet_trio.settings import Settings, SettingsError, load_settings


def test_defaults_are_those_of_development() -> None:
    assert load_settings({}) == Settings()
    assert (Settings().host, Settings().port, Settings().allowed_origins) == ("0.0.0.0", 8765, ("*",))


def test_the_environment_is_read_and_the_command_line_wins(tmp_path: Path) -> None:
    file = tmp_path / "hamlet.toml"
    file.write_text('port = 7000\nhost = "::1"\nmax_sessions = 5\n')
    environment = {"HAMLET_CONFIG": str(file), "HAMLET_PORT": "9000", "HAMLET_COMPRESSION": "true"}
    settings = load_settings(environment, port=None, host="localhost")
    assert (settings.port, settings.host, settings.max_sessions) == (9000, "localhost", 5)
    assert settings.compression is True


def test_origins_are_a_comma_separated_list() -> None:
    settings = load_settings({"HAMLET_ALLOWED_ORIGINS": "https://a.example, https://b.example"})
    assert settings.allowed_origins == ("https://a.example", "https://b.example")


def test_production_has_stricter_defaults() -> None:
    settings = load_settings({"HAMLET_PROFILE": "production"})
    assert (settings.host, settings.log_level, settings.allowed_origins) == ("127.0.0.1", "warning", ())


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"HAMLET_PORT": "http"}, "HAMLET_PORT=http: it must be a whole number from 0 to 65535"),
        ({"HAMLET_PORT": "70000"}, "HAMLET_PORT=70000: it must be a whole number from 0 to 65535"),
        ({"HAMLET_PROFILE": "staging"}, "HAMLET_PROFILE=staging: it must be one of development, production"),
        ({"HAMLET_COMPRESSION": "maybe"}, "HAMLET_COMPRESSION=maybe: it must be true or false"),
        ({"HAMLET_MAX_SESSIONS": "0"}, "HAMLET_MAX_SESSIONS=0"),
        ({"HAMLET_PROFILE": "production", "HAMLET_ALLOWED_ORIGINS": "*"}, "HAMLET_ALLOWED_ORIGINS"),
        ({"HAMLET_CONFIG": "no-such.toml"}, "HAMLET_CONFIG"),
    ],
)
def test_a_bad_setting_is_refused_by_the_name_of_its_variable(
    environment: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingsError, match=named):
        load_settings(environment)


@pytest.mark.parametrize("field", Settings.__struct_fields__)
def test_every_setting_has_its_allowed_values_in_words(field: str) -> None:
    assert re.match("a whole number from|a number from|one of|text|true or|a list", allowed(Settings, field))


def test_an_unknown_setting_of_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hamlet.toml"
    file.write_text("prot = 7000\n")
    with pytest.raises(SettingsError, match="prot"):
        load_settings({"HAMLET_CONFIG": str(file)})


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"HAMLET_PROFILE": "production", "HAMLET_LOGIN": "nobody"}, "HAMLET_LOGIN=nobody"),
        ({"HAMLET_LOGIN": "students"}, "HAMLET_LOGIN=students"),
        ({"HAMLET_TRUSTED_PROXIES": "127.0.0.1,nginx"}, "HAMLET_TRUSTED_PROXIES=nginx"),
        ({"HAMLET_TRUSTED_USER_HEADER": "X-Remote-User"}, "needs HAMLET_TRUSTED_PROXIES"),
        (
            {"HAMLET_TRUSTED_USER_HEADER": "X Remote", "HAMLET_TRUSTED_PROXIES": "::1"},
            "HAMLET_TRUSTED_USER_HEADER=X Remote",
        ),
        ({"HAMLET_TRUSTED_TEACHERS": "jones"}, "HAMLET_TRUSTED_TEACHERS"),
    ],
)
def test_an_insecure_combination_is_refused(environment: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        load_settings(environment)


def test_production_lets_only_teachers_train_and_trusts_the_local_proxy() -> None:
    settings = load_settings({"HAMLET_PROFILE": "production"})
    assert (settings.login, settings.trusted_proxies) == ("teachers", ("127.0.0.1", "::1"))
    assert (Settings().login, Settings().trusted_proxies) == ("nobody", ())
