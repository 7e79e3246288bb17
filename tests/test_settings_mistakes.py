"""Settings that could only be mistakes: each stops the start with a sentence that says what was meant."""

from pathlib import Path

import pytest

from hamlet_trio.settings import Settings, SettingsError, load_settings, unknown_variables


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("HAMLET_PROFIL", "HAMLET_PROFILE"),
        ("HAMLET_PROT", "HAMLET_PORT"),
        ("HAMLET_PORTS", "HAMLET_PORT"),
        ("hamlet_port", "HAMLET_PORT"),
        ("HAMLET-PORT", "HAMLET_PORT"),
        ("HAMLET_LOGLEVEL", "HAMLET_LOG_LEVEL"),
        ("HAMLET_MODEL_DIR", "HAMLET_MODELS_DIR"),
        ("HAMLET_ORIGINS", "HAMLET_ALLOWED_ORIGINS"),
        ("HAMLET_ALLOWED_ORIGIN", "HAMLET_ALLOWED_ORIGINS"),
        ("HAMLET_TRUSTED_PROXY", "HAMLET_TRUSTED_PROXIES"),
        ("HAMLET_MAX_SESSION", "HAMLET_MAX_SESSIONS"),
        ("HAMLETT_PROFILE", "HAMLET_PROFILE"),
        ("HMALET_PORT", "HAMLET_PORT"),
        ("HAMLETDATADIR", "HAMLET_DATA_DIR"),
    ],
)
def test_a_near_miss_of_a_name_is_refused_with_the_name_that_was_meant(variable: str, meant: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({variable: "production"})
    assert str(refused.value).startswith(f"{variable} is not a setting; did you mean ")
    assert meant in str(refused.value)


def test_variables_that_resemble_no_setting_are_listed_and_do_no_harm() -> None:
    environment = {
        "HAMLET_COLOUR": "red",
        "HAMLET_VERSION": "2",
        "HAMLETS": "7",
        "PORT": "1",
        "HELM_PORT": "2",
    }
    assert load_settings(environment) == Settings()
    assert unknown_variables(environment) == ["HAMLET_COLOUR", "HAMLET_VERSION"]


def test_variables_of_our_own_scripts_are_known() -> None:
    assert unknown_variables({"HAMLET_REQUIRE_ALL": "1", "HAMLET_CONFIG": "hamlet.toml"}) == []


SERVICE_LINKS = {
    "HAMLET_SERVICE_HOST": "10.96.4.7",
    "HAMLET_SERVICE_PORT": "8765",
    "HAMLET_SERVICE_PORT_HTTP": "8765",
    "HAMLET_PORT": "tcp://10.96.4.7:8765",
    "HAMLET_PORT_8765_TCP": "tcp://10.96.4.7:8765",
    "HAMLET_PORT_8765_TCP_PROTO": "tcp",
    "HAMLET_PORT_8765_TCP_PORT": "8765",
    "HAMLET_PORT_8765_TCP_ADDR": "10.96.4.7",
    "HAMLET_MODELS_SERVICE_HOST": "10.96.4.8",
    "HAMLET_MODELS_PORT": "tcp://10.96.4.8:80",
}


def test_what_kubernetes_sets_for_a_service_named_hamlet_is_no_setting() -> None:
    assert load_settings(SERVICE_LINKS) == Settings()
    assert unknown_variables(SERVICE_LINKS) == []
    assert load_settings(SERVICE_LINKS, port=9000).port == 9000


def test_blanks_and_line_ends_around_a_value_are_dropped() -> None:
    settings = load_settings(
        {
            "HAMLET_PORT": " 9000\r",
            "HAMLET_PROFILE": "development\r\n",
            "HAMLET_MODELS_DIR": "lesson 3 ",
            "HAMLET_COMPRESSION": "true\t",
            "HAMLET_LOG_LEVEL": "\r",
        }
    )
    assert settings == Settings(port=9000, models_dir="lesson 3", compression=True)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "hamlet.toml").write_text('models_dir = "~/models"\n')
    environment = {"HAMLET_CONFIG": "~/hamlet.toml", "HAMLET_TOKENS_FILE": "~/tokens.json"}
    settings = load_settings(environment, data_dir="~")
    assert settings.models_dir == f"{tmp_path}/models"
    assert settings.tokens_file == f"{tmp_path}/tokens.json"
    assert settings.data_dir == str(tmp_path)
    assert settings.cookie_key_file == ""


def test_the_home_folder_of_nobody_is_refused() -> None:
    with pytest.raises(SettingsError, match="HAMLET_DATA_DIR=~no-such-person/data: there is no such home"):
        load_settings({"HAMLET_DATA_DIR": "~no-such-person/data"})


@pytest.mark.parametrize("file", ["hamlet.toml", "caf\udce9.toml"])
@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ('port = 7000 # "é"'.encode("utf-16"), "which cannot be read: it is UTF-16; save it as UTF-8"),
        ("port = 7000".encode("utf-16-le"), "it is UTF-16; save it as UTF-8"),
        ("host = 'é'".encode("utf-16-be"), "it is UTF-16; save it as UTF-8"),
        (b"port = 7000\0", "it is not valid TOML: "),
        ("port = 7000\n# café".encode("cp1252"), "line 2 is not UTF-8; save it as UTF-8"),
        (b"port = " + b"[" * 60_000, "it is not valid TOML: nested too deeply"),
        (b"port = ", "not valid TOML"),
        (b"port = 7000\nport = 7000", "not valid TOML"),
        (b"prot = 7000", "where prot is not a setting; did you mean port"),
        (b"HAMLET_PORT = 7000", "where HAMLET_PORT is not a setting; did you mean port"),
        (b"colour = 7000", "where colour is not a setting; docs/settings.md lists the settings"),
        (b"[server]\nport = 7000", "where server is not a setting"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named_with_the_cause(
    content: bytes, cause: str, file: str, tmp_path: Path
) -> None:
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=cause) as refused:
        load_settings({"HAMLET_CONFIG": str(path)})
    assert str(refused.value).startswith(f"HAMLET_CONFIG names {tmp_path}/")
    assert str(refused.value).isprintable()


def test_a_file_with_a_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hamlet.toml"
    path.write_bytes(
        b'\xef\xbb\xbfport = 7000\r\nhost = "::1 "\r\nallowed_origins = "http://a:1, http://b:2"\r\n'
    )
    settings = load_settings({"HAMLET_CONFIG": str(path)})
    assert (settings.port, settings.host) == (7000, "::1")
    assert settings.allowed_origins == ("http://a:1", "http://b:2")


def test_a_folder_whose_name_is_not_utf8_is_shown_readably() -> None:
    assert load_settings({"HAMLET_DATA_DIR": "caf\udce9"}).data_dir == "caf\udce9"
    with pytest.raises(SettingsError, match=r"HAMLET_PORT=caf\\xe9: it must be"):
        load_settings({"HAMLET_PORT": "caf\udce9"})


@pytest.mark.parametrize(
    ("origins", "cause"),
    [
        ("hamlet.example.org", "such as https://hamlet.example.org."),
        ("localhost:8765", "such as https://localhost:8765."),
        ("//hamlet.example.org", "not an origin as browsers send it"),
        ("https://hamlet.example.org/", "such as https://hamlet.example.org."),
        ("https://hamlet.example.org/page", "such as https://hamlet.example.org."),
        ("https://hamlet.example.org?x=1", "not an origin as browsers send it"),
        ("https://teacher@school.example", "such as https://school.example."),
        ("https://*.example.org", "such as https://hamlet.example.org."),
        ("https://hämlet.example.org", "such as https://xn--hmlet-gra.example.org."),
        ("null/", "such as null."),
        ("NULL", "such as null."),
        ("'https://school.example'", "such as https://school.example."),
        ("wss://school.example:8443", "is the address of a socket; .* https://school.example:8443."),
        ("https:", "not an origin as browsers send it"),
        ("http://hamlet.example.org:99999", "ports are 1 to 65535"),
        ("https://a.example:1, b.example", "HAMLET_ALLOWED_ORIGINS=b.example is not an origin"),
        ("http://localhost", "lacks the port .* write http://localhost:8765"),
        ("http://192.168.1.5", "lacks the port .* write http://192.168.1.5:8765"),
        ("http://[::1]", r"lacks the port .* write http://\[::1\]:8765"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_with_the_one_it_sends(origins: str, cause: str) -> None:
    with pytest.raises(SettingsError, match=cause):
        load_settings({"HAMLET_ALLOWED_ORIGINS": origins})


@pytest.mark.parametrize(
    "environment",
    [
        {"HAMLET_ALLOWED_ORIGINS": "*"},
        {"HAMLET_ALLOWED_ORIGINS": "null"},
        {"HAMLET_ALLOWED_ORIGINS": "https://hamlet.example.org,http://[::1]:5173"},
        {"HAMLET_ALLOWED_ORIGINS": "http://school, http://school:8765"},
        {"HAMLET_ALLOWED_ORIGINS": "http://school", "HAMLET_PORT": "80"},
        {"HAMLET_ALLOWED_ORIGINS": "http://school", "HAMLET_PROFILE": "production"},
        {"HAMLET_ALLOWED_ORIGINS": "moz-extension://5c9c8d4e-7e2e-4a6a-9d38-3f1c7d4f9a11"},
    ],
)
def test_an_origin_that_browsers_send_is_accepted(environment: dict[str, str]) -> None:
    load_settings(environment)


@pytest.mark.parametrize(
    "header",
    [
        *("User-Agent", "cookie", "Accept", "Accept-Language", "Authorization", "Host", "Origin", "Referer"),
        *("Sec-Fetch-User", "X-Forwarded-For", "X-Real-IP", "Forwarded", "From", "Content-Type"),
    ],
)
def test_a_header_that_clients_set_is_no_sign_on_header(header: str) -> None:
    environment = {"HAMLET_TRUSTED_USER_HEADER": header, "HAMLET_TRUSTED_PROXIES": "127.0.0.1"}
    with pytest.raises(SettingsError, match=f"HAMLET_TRUSTED_USER_HEADER={header} is a header that clients"):
        load_settings(environment)


@pytest.mark.parametrize(
    "header", ["X-Remote-User", "Remote-User", "X-Forwarded-User", "X-Auth-Request-User", "X-WEBAUTH-USER"]
)
def test_a_header_of_a_single_sign_on_is_accepted(header: str) -> None:
    load_settings({"HAMLET_TRUSTED_USER_HEADER": header, "HAMLET_TRUSTED_PROXIES": "10.0.0.0/8,fc00::/7"})


@pytest.mark.parametrize(
    "proxies",
    ["0.0.0.0/0", "::/0", "0.0.0.0/1,128.0.0.0/1", "10.0.0.0/4", "::1,2000::/3", "::ffff:0.0.0.0/96"],
)
def test_a_sign_on_header_from_anywhere_is_refused(proxies: str) -> None:
    with pytest.raises(SettingsError, match="any client to send X-Remote-User"):
        load_settings({"HAMLET_TRUSTED_USER_HEADER": "X-Remote-User", "HAMLET_TRUSTED_PROXIES": proxies})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:6379",
        "127.0.0.1:6379",
        "redis://",
        "redis://127.0.0.1:port",
        "redis://:secret@h:70000",
    ],
)
def test_what_is_no_address_of_redis_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="HAMLET_REDIS_URL is not an address of Redis") as refused:
        load_settings({"HAMLET_REDIS_URL": url})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1", "rediss://:secret@[::1]:6380/2", "unix:///run/redis/redis.sock"]
)
def test_an_address_of_redis_is_accepted(url: str) -> None:
    assert load_settings({"HAMLET_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize("address", ["ray://10.0.0.5:10001", "10.0.0.5", "10.0.0.5:0", ":6379", "h:port"])
def test_what_is_no_address_of_a_ray_cluster_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match=f"HAMLET_RAY_ADDRESS={address}: expected `auto`"):
        load_settings({"HAMLET_RAY_ADDRESS": address})
    assert load_settings({"HAMLET_RAY_ADDRESS": "10.0.0.5:6379"}).ray_address == "10.0.0.5:6379"
