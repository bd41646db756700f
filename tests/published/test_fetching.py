"""Files are found where they lie, fetched from where they are, and otherwise one sentence says what to do."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants

from vtexplore import registry
from vtexplore.errors import WeightsError
from vtexplore.published import fetching
from vtexplore.published.fetching import cache, fetch, find, find_all, from_hub
from vtexplore.published.layout import File, Published, drive

DATA = bytes(range(256)) * 4096  # a megabyte
SHA = hashlib.sha256(DATA).hexdigest()


class Host(BaseHTTPRequestHandler):
    """Serves DATA; breaks off once where the address says so, and goes on where it is asked to."""

    asked: list[str] = []
    breaks_off = False

    def do_GET(self) -> None:
        begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.asked.append(self.headers.get("Range") or "")
        if "missing" in self.path:
            self.send_error(404)
            return
        if "stubborn" in self.path:  # cannot begin in the middle
            begin = 0
        if begin >= len(DATA):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(DATA) - begin))
        self.end_headers()
        end = len(DATA) // 2 if Host.breaks_off else len(DATA)
        Host.breaks_off = False
        self.wfile.write(DATA[begin:end])

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache, and a network."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    Host.asked.clear()
    Host.breaks_off = False


def toys(*files: File) -> Published:
    return Published("toy", "Toy", files)


def at(url: str, **more: Any) -> File:
    return File("a.pt", "weights", "its README", "MIT", "whole", at=url, main=True, **more)


def test_fetched_once_with_a_bar(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    known = toys(at(f"{host}/a.pt", sha256=SHA))
    (path,) = find_all(known, "published")
    assert path == cache() / "a.pt" and path.read_bytes() == DATA
    assert "a.pt: 100%" in capsys.readouterr().err
    assert find_all(known, "a.pt") == [path] and Host.asked == [""], "the second time, it is here"


@pytest.mark.parametrize("address, again", [("a.pt", f"bytes={len(DATA) // 2}-"), ("stubborn", "")])
def test_what_broke_off_goes_on(address: str, again: str, host: str) -> None:
    path = cache() / "a.pt"
    Host.breaks_off = True
    with pytest.raises(WeightsError, match=r"could not be fetched from .*: try again to go on"):
        fetch(f"{host}/{address}", path)
    assert not path.exists(), "a part is no file"
    assert fetch(f"{host}/{address}", path).read_bytes() == DATA
    assert Host.asked[1] == f"bytes={len(DATA) // 2}-" and not list(cache().glob("*.partial"))


def test_what_is_too_long_begins_again(host: str) -> None:
    cache().mkdir(parents=True)
    (cache() / "a.pt.partial").write_bytes(DATA + b"more")
    with pytest.raises(WeightsError, match="HTTP 416"):
        fetch(f"{host}/a.pt", cache() / "a.pt")
    assert fetch(f"{host}/a.pt", cache() / "a.pt").read_bytes() == DATA


def test_what_cannot_be_reached(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match=r"a\.pt could not be fetched from .*missing \(HTTP 404\)"):
        find(at(f"{host}/missing"))
    with pytest.raises(WeightsError, match=r"could not be fetched from http://127.0.0.1:9/a \("):
        find(at("http://127.0.0.1:9/a"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"a\.pt is not on this machine, and HF_HUB_OFFLINE is set: fetch http"):
        find(at(f"{host}/a.pt"))


def test_another_file_of_that_name_is_refused(host: str) -> None:
    with pytest.raises(WeightsError, match=rf"is not the published file \(SHA-256 {SHA[:12]}…, not abcd…\)"):
        find(at(f"{host}/a.pt", sha256="abcd"))


def test_shared_drives_are_explained() -> None:
    file = File("a.pt", "weights", "its README", "MIT", "whole", by_hand=drive("xyz"), main=True)
    with pytest.raises(
        WeightsError, match=r"a\.pt is not on this machine\. Open https://drive\.google\.com/file/d/xyz"
    ) as e:
        find_all(toys(file), "published")
    assert str(cache() / "a.pt") in str(e.value) and "No checksum of it is published" in str(e.value)
    with pytest.raises(WeightsError, match="Its SHA-256 begins with 12ab"):
        find(replace(file, sha256="12ab"))
    cache().mkdir(parents=True)
    (cache() / "a.pt").write_bytes(DATA)
    assert find_all(toys(file), "published") == [cache() / "a.pt"]


def test_what_is_not_supported_is_never_half_loaded() -> None:
    with pytest.raises(WeightsError, match="a checkpoint of TensorFlow 1, which is not read here; load the miniature"):
        registry.load("merlot", weights="published")
    with pytest.raises(WeightsError, match="published no weights"):
        registry.load("videobert", weights="published")


@pytest.mark.parametrize("name", registry.publications())
def test_every_familys_files_are_explained_without_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for file in registry.published(name).files:
        with pytest.raises(WeightsError) as e:
            find(file)
        assert file.name in str(e.value) and "\n" not in str(e.value)
        assert file.why or (file.at or "drive.google.com" in str(e.value) or file.by_hand[1:] in str(e.value))


def test_a_file_in_the_cache_is_loaded_by_its_name() -> None:
    import stand_ins

    tensors = stand_ins.tensors_of("s3d_kinetics")
    cache().mkdir(parents=True)
    stand_ins.write(cache() / "S3D_kinetics400.pt", "s3d_kinetics", tensors)
    model: Any = registry.backbone("s3d", weights="S3D_kinetics400.pt")
    assert torch.equal(model.classify.weight, tensors["fc.0.weight"])
    assert model.weights_hash == hashlib.sha256((cache() / "S3D_kinetics400.pt").read_bytes()).hexdigest()
    with pytest.raises(
        WeightsError, match=r"S3D_kinetics400\.pt is a file of S3D, not of VIOLET: use registry\.backbone"
    ):
        registry.load("violet", weights=cache() / "S3D_kinetics400.pt")


def test_paths_addresses_and_several() -> None:
    assert find_all(toys(), ["x/a.pt", Path("b.pt")]) == [Path("x/a.pt"), Path("b.pt")]
    assert find_all(toys(), "b.pt") == [Path("b.pt")]


# ── a hub ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What huggingface_hub fetched of owner/name before; no network now."""
    there = tmp_path / "hf" / "models--owner--name"
    (there / "refs").mkdir(parents=True)
    (there / "refs" / "main").write_text("0" * 40)
    (there / "snapshots" / ("0" * 40)).mkdir(parents=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return there / "snapshots" / ("0" * 40)


def test_a_hubs_file_is_found_in_its_cache(hub: Path) -> None:
    for name in ("model.safetensors", "pytorch_model.bin", "README.md"):
        (hub / name).write_bytes(b"x")
    assert from_hub("hub:owner/name") == hub / "model.safetensors", "the safest kind"
    assert from_hub("hub:owner/name:pytorch_model.bin") == hub / "pytorch_model.bin"
    assert find_all(toys(), "hub:owner/name@main") == [hub / "model.safetensors"]


def test_a_hub_without_an_answer_is_explained(hub: Path) -> None:
    with pytest.raises(WeightsError, match=r"hub:owner/name holds no weights \(it is empty\)"):
        from_hub("hub:owner/name")
    for name in ("a.pt", "b.pt"):
        (hub / name).write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"holds several files; name one: hub:owner/name:a\.pt \(a\.pt, b\.pt\)"):
        from_hub("hub:owner/name")
    for address in ("hub:owner/other", "hub:owner/name:c.pt"):
        with pytest.raises(WeightsError, match=r"is not on this machine, and the hub cannot be reached: .*hf download"):
            from_hub(address)
    with pytest.raises(WeightsError, match="is no address of a hub"):
        from_hub("hub:name")


def test_a_hub_that_answers_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def wild(*_: Any, **__: Any) -> None:
        raise RuntimeError("the house is on fire\nand more")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", wild)
    with pytest.raises(WeightsError, match=r"^hub:a/b:c\.pt could not be fetched: the house is on fire$"):
        from_hub("hub:a/b:c.pt")
    assert fetching.ENDINGS[0] == ".safetensors"
