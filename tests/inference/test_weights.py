"""Finding, verifying and fetching weights, against a real HTTP server on loopback."""

from __future__ import annotations

import errno
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homeface.errors import ModelError, ModelIntegrityError, WeightsUnavailableError
from homeface.inference import weights
from homeface.inference.calibration import calibration_for
from homeface.inference.manifest import (
    MANIFEST,
    Artefact,
    Family,
    Kind,
    ModelSpec,
    custom_model,
    find_spec,
    with_hash,
)
from homeface.inference.weights import fetch, locate, read_weights

CONTENT = bytes(range(256)) * 512
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class FileServer(ThreadingHTTPServer):
    """Serves ``CONTENT``; public attributes script what goes wrong."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = CONTENT
        self.status = 200
        self.cut_after: int | None = None
        self.length: str | None = ""
        """Sent as Content-Length: empty the true one, None none at all."""
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/model.onnx"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        body = self.server.content[start:]
        if wanted and not body:
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        if self.server.length is not None:
            self.send_header("Content-Length", self.server.length or str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_after])

    def log_message(self, *args: object) -> None:
        """Tests need no access log."""


@pytest.fixture
def server() -> Iterator[FileServer]:
    httpd = FileServer()
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def spec_for(*artefacts: Artefact) -> ModelSpec:
    return ModelSpec(name="small", family=Family.YUNET, licence="MIT", artefacts=artefacts)


@pytest.fixture
def spec(server: FileServer) -> ModelSpec:
    return spec_for(Artefact("model.onnx", SHA256, server.url, len(CONTENT)))


@pytest.mark.parametrize("subfolder", ["", "embed", "detect"])
def test_weights_are_found_in_any_folder_and_its_known_subfolders(tmp_path: Path, subfolder: str) -> None:
    place = tmp_path / "second" / subfolder
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(CONTENT)
    spec = spec_for(Artefact("model.onnx", SHA256))
    folders = [tmp_path / "missing", tmp_path / "second"]
    assert locate(spec, folders) == place / "model.onnx"
    assert read_weights(spec, folders) == CONTENT


def test_any_artefact_of_the_model_will_do(tmp_path: Path) -> None:
    (tmp_path / "half.pt").write_bytes(CONTENT)
    spec = spec_for(Artefact("official.pt", "0" * 64), Artefact("half.pt", SHA256))
    assert locate(spec, [tmp_path]).name == "half.pt"


def test_missing_weights_are_told_in_one_sentence_with_name_hash_and_folders(tmp_path: Path) -> None:
    spec = spec_for(Artefact("model.onnx", SHA256), Artefact("other.onnx", "1" * 64))
    with pytest.raises(WeightsUnavailableError) as caught:
        locate(spec, [tmp_path / "a", tmp_path / "b"])
    message = str(caught.value)
    for part in ("small", "model.onnx", SHA256, "other.onnx", str(tmp_path / "a"), str(tmp_path / "b")):
        assert part in message
    assert "\n" not in message


def test_a_wrong_hash_is_refused_with_both_hashes(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"something else")
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(ModelIntegrityError) as caught:
        locate(spec_for(Artefact("model.onnx", SHA256)), [tmp_path])
    for part in (str(tmp_path / "model.onnx"), found, SHA256):
        assert part in str(caught.value)


def test_a_file_whose_hash_nobody_knows_is_not_loaded_until_somebody_vouches_for_it(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(CONTENT)
    unknown = spec_for(Artefact("model.onnx", None))
    with pytest.raises(ModelIntegrityError, match=SHA256):
        locate(unknown, [tmp_path])
    assert read_weights(with_hash(unknown, "model.onnx", SHA256), [tmp_path]) == CONTENT


def test_fetch_downloads_once_with_progress(tmp_path: Path, spec: ModelSpec, server: FileServer) -> None:
    seen: list[tuple[int, int]] = []
    folders = [tmp_path / "cache", tmp_path / "other"]
    path = fetch(spec, folders, lambda received, total: seen.append((received, total)))
    assert path == tmp_path / "cache" / "model.onnx"
    assert path.read_bytes() == CONTENT
    assert seen[0][0] == 0
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert fetch(spec, folders) == path
    assert len(server.ranges) == 1
    assert [p.name for p in path.parent.iterdir()] == ["model.onnx"]


def test_fetch_takes_the_first_folder_that_can_be_written(tmp_path: Path, spec: ModelSpec) -> None:
    (tmp_path / "a_file").write_text("")
    folders = [tmp_path / "a_file" / "below", Path("/proc/no"), tmp_path / "good"]
    assert fetch(spec, folders) == tmp_path / "good" / "model.onnx"


def test_fetch_without_a_writable_folder_says_so(tmp_path: Path, spec: ModelSpec) -> None:
    (tmp_path / "a_file").write_text("")
    with pytest.raises(WeightsUnavailableError, match="written"):
        fetch(spec, [tmp_path / "a_file" / "below"])


def test_a_broken_download_is_continued(tmp_path: Path, spec: ModelSpec, server: FileServer) -> None:
    server.cut_after = 1000
    with pytest.raises(WeightsUnavailableError, match="connection broke"):
        fetch(spec, [tmp_path])
    assert not (tmp_path / "model.onnx").exists()
    server.cut_after = None
    assert fetch(spec, [tmp_path]).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-"]


def test_a_wrong_download_is_thrown_away(tmp_path: Path, spec: ModelSpec, server: FileServer) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(WeightsUnavailableError, match="SHA-256") as caught:
        fetch(spec, [tmp_path])
    assert SHA256 in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT
    assert fetch(spec, [tmp_path]).read_bytes() == CONTENT


def test_a_page_of_another_size_is_refused_before_it_is_read(
    tmp_path: Path, spec: ModelSpec, server: FileServer
) -> None:
    server.content = b"<html>please log in</html>"
    with pytest.raises(WeightsUnavailableError, match=r"26 bytes were offered"):
        fetch(spec, [tmp_path])
    assert not (tmp_path / "model.onnx").exists()


def test_a_rest_longer_than_the_file_starts_over(tmp_path: Path, spec: ModelSpec, server: FileServer) -> None:
    (tmp_path / ".model.onnx.part").write_bytes(CONTENT + b"too much")
    assert fetch(spec, [tmp_path]).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT) + 8}-", None]


@pytest.mark.parametrize("length", [None, "many"])
def test_a_server_that_does_not_say_how_much_it_sends(
    tmp_path: Path, spec: ModelSpec, server: FileServer, length: str | None
) -> None:
    server.length = length
    assert fetch(spec, [tmp_path]).read_bytes() == CONTENT


def test_no_more_than_the_file_is_written_to_the_disk(
    tmp_path: Path, spec: ModelSpec, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "CHUNK_BYTES", 1024)
    server.content, server.length = CONTENT * 3, None
    received: list[int] = []
    with pytest.raises(WeightsUnavailableError, match="more than the expected"):
        fetch(spec, [tmp_path], lambda done, _total: received.append(done))
    assert max(received) <= len(CONTENT)
    assert (tmp_path / ".model.onnx.part").stat().st_size == 0


def test_a_link_in_place_of_the_part_file_is_not_followed(tmp_path: Path, spec: ModelSpec) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (tmp_path / ".model.onnx.part").symlink_to(precious)
    with pytest.raises(WeightsUnavailableError, match="symbolic link"):
        fetch(spec, [tmp_path])
    assert precious.read_bytes() == b"precious"


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_refusing_server_is_told(tmp_path: Path, spec: ModelSpec, server: FileServer, status: int) -> None:
    server.status = status
    with pytest.raises(WeightsUnavailableError, match=str(status)) as caught:
        fetch(spec, [tmp_path])
    for part in ("model.onnx", SHA256, str(tmp_path)):
        assert part in str(caught.value)


def test_an_unreachable_server_is_told(tmp_path: Path, spec: ModelSpec, server: FileServer) -> None:
    closed = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    url = f"http://127.0.0.1:{closed.server_address[1]}/"
    closed.server_close()
    gone = replace(spec, artefacts=(replace(spec.artefacts[0], url=url),))
    with pytest.raises(WeightsUnavailableError, match="cannot be reached"):
        fetch(gone, [tmp_path])


def test_a_full_disk_is_told(tmp_path: Path, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights, "_receive", full)
    with pytest.raises(WeightsUnavailableError, match="No space left on device"):
        fetch(spec, [tmp_path])


def test_a_model_without_address_or_hash_is_not_downloaded(tmp_path: Path, server: FileServer) -> None:
    for artefact in (Artefact("model.onnx", None, server.url), Artefact("model.onnx", SHA256)):
        with pytest.raises(WeightsUnavailableError):
            fetch(spec_for(artefact), [tmp_path])
    assert server.ranges == []


def test_only_the_web_is_downloaded_from(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="http"):
        fetch(spec_for(Artefact("model.onnx", SHA256, "file:///etc/passwd")), [tmp_path])


def test_the_manifest_is_sound() -> None:
    assert len({spec.name for spec in MANIFEST}) == len(MANIFEST)
    for spec in MANIFEST:
        assert spec.licence
        assert spec.packaged or spec.artefacts
        if spec.kind is Kind.EMBEDDER:
            assert spec.input_px
            assert spec.template
        for artefact in spec.artefacts:
            assert artefact.sha256 is None or len(artefact.sha256) == 64
            assert artefact.url is None or artefact.url.startswith("https://")


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"facenet_vggface2.*mobilefacenet"):
        find_spec("arcface_r100", Kind.EMBEDDER)
    with pytest.raises(ModelError, match="detector"):
        find_spec("facenet_vggface2", Kind.DETECTOR)


GOOD = ModelSpec(
    name="sface",
    family=Family.ONNX_EMBEDDER,
    licence="Apache-2.0",
    artefacts=(Artefact("sface.onnx", "a" * 64),),
    input_px=112,
    template="arcface_112",
)


def test_a_user_model_goes_before_the_manifest() -> None:
    mine = custom_model(replace(GOOD, name="mobilefacenet"))
    assert find_spec("mobilefacenet", Kind.EMBEDDER, [mine]) is mine
    assert mine.model_id == "mobilefacenet/arcface_112-1"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "../evil"}, "name"),
        ({"family": Family.FACENET}, "ONNX"),
        ({"artefacts": ()}, "no file"),
        ({"artefacts": (Artefact("../../x.onnx", None),)}, "bare file name"),
        ({"artefacts": (Artefact("x.onnx", "abc"),)}, "SHA-256"),
        ({"colour": "grb"}, "colour"),
        ({"std": (1.0, 0.0, 1.0)}, "std"),
        ({"input_px": 0}, "input_px"),
        ({"template": ""}, "template"),
    ],
)
def test_a_broken_user_model_is_told(change: dict[str, object], told: str) -> None:
    with pytest.raises(ModelError, match=told):
        custom_model(replace(GOOD, **change))  # type: ignore[arg-type]


def test_a_model_whose_hash_nobody_knows_says_where_it_is_and_how_to_vouch_for_it(tmp_path: Path) -> None:
    """CASIA-WebFace can be chosen: without the file, with it, and with a copy that was vouched for."""
    casia = find_spec("facenet_casia", Kind.EMBEDDER)
    (artefact,) = casia.artefacts
    for ask in (locate, fetch):
        with pytest.raises(WeightsUnavailableError) as missing:
            ask(casia, [tmp_path])
        for told in (artefact.file, str(artefact.url), "SHA-256", "vouched", str(tmp_path)):
            assert told in str(missing.value)
    (tmp_path / artefact.file).write_bytes(CONTENT)
    with pytest.raises(ModelIntegrityError, match=f"{SHA256}.*vouched.*{artefact.file}"):
        read_weights(casia, [tmp_path])
    assert read_weights(with_hash(casia, artefact.file, SHA256), [tmp_path]) == CONTENT
    with pytest.raises(ModelError, match=r"facenet_casia.*no calibration.*evaluate calibrate"):
        calibration_for(casia.model_id)


def test_a_model_that_can_be_fetched_asks_for_no_vouching(tmp_path: Path) -> None:
    with pytest.raises(WeightsUnavailableError) as missing:
        locate(find_spec("facenet_vggface2", Kind.EMBEDDER), [tmp_path])
    assert "vouched" not in str(missing.value)
