"""Credentials go into URLs quoted and never come out again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeface.adapters.camera import CameraSettings, redact, with_credentials
from homeface.adapters.camera.url import is_stream


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:hunter2@10.0.0.5:554/live", "rtsp://***@10.0.0.5:554/live"),
        ("rtsp://admin:hun@ter/2@10.0.0.5/live", "rtsp://***@10.0.0.5/live"),
        ("rtsp://10.0.0.5/live", "rtsp://10.0.0.5/live"),
        (
            "http://c/flv?port=1935&user=admin&password=hunter2&x=1",
            "http://c/flv?port=1935&user=***&password=***&x=1",
        ),
        ("http://c/snap?token=hunter2", "http://c/snap?token=***"),
        (
            "rtspsrc location=rtsp://c/1 user-id=admin user-pw=hunter2 latency=0 ! appsink",
            "rtspsrc location=rtsp://c/1 user-id=*** user-pw=*** latency=0 ! appsink",
        ),
        ('x user-pw="hunter 2" ! y', "x user-pw=*** ! y"),
        ("two: rtsp://a:hunter2@b/c and RTSP://d:hunter2@e/f.", "two: rtsp://***@b/c and RTSP://***@e/f."),
        ("/videos/porch.mp4", "/videos/porch.mp4"),
    ],
)
def test_redact(url: str, shown: str) -> None:
    assert redact(url) == shown


@given(
    st.text(min_size=4, max_size=20, alphabet=st.characters(min_codepoint=33, max_codepoint=0x2FF)),
    st.sampled_from(["10.0.0.5", "10.0.0.5:554", "[fe80::1]:554"]),
)
def test_no_password_survives(password: str, host: str) -> None:
    quoted = with_credentials(f"rtsp://{host}/live", "someone", password)
    assert redact(quoted) == f"rtsp://***@{host}/live"
    assert redact(f"rtsp://someone:{password}@{host}/live") == f"rtsp://***@{host}/live"


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("rtsp://h/x", "rtsp://us%20er:p%40s%2Fs%3A%23@h/x"),
        ("rtsp://old:one@h:1/x?a=b@c", "rtsp://us%20er:p%40s%2Fs%3A%23@h:1/x?a=b@c"),
        ("http://h", "http://us%20er:p%40s%2Fs%3A%23@h"),
        ("clip.mp4", "clip.mp4"),
    ],
)
def test_credentials_are_quoted_in(url: str, full: str) -> None:
    assert with_credentials(url, "us er", "p@s/s:#") == full
    assert with_credentials(url, None, None) == url


def test_settings_show_no_credentials() -> None:
    settings = CameraSettings("porch", url="rtsp://a:hunter2@h/x", username="b", password="hunter3")
    assert settings.full_url == "rtsp://b:hunter3@h/x"
    assert settings.address == "rtsp://***@h/x"
    assert "hunter" not in repr(settings)


def test_settings_want_exactly_one_source() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        CameraSettings("porch")
    with pytest.raises(ValueError, match="exactly one"):
        CameraSettings("porch", url="rtsp://h", device=0)


@pytest.mark.parametrize(
    ("url", "stream"),
    [
        ("rtsp://h/x", True),
        ("http://h", True),
        ("/a/b.mp4", False),
        ("b.mp4", False),
        ("file:///a/b.mp4", False),
    ],
)
def test_streams_and_files(url: str, stream: bool) -> None:
    assert is_stream(url) is stream
