"""Assets are found wherever vtexplore is installed, and their absence is explained. The wheel has its own test."""

import pytest

from vtexplore import assets
from vtexplore.errors import AssetError, VtexploreError


def test_files_and_folders_are_found() -> None:
    assert assets.find("README.md").is_file()
    assert assets.find().is_dir()
    assert assets.find("README.md").parent == assets.find()


def test_what_is_missing_is_named_with_its_mend() -> None:
    with pytest.raises(AssetError, match=r"assets/READNE\.md .*nearest: README\.md.*git checkout"):
        assets.find("READNE.md")
    assert issubclass(AssetError, VtexploreError)


@pytest.mark.parametrize("name", ["../pyproject.toml", "/etc/hostname", "clips/../../LICENSE"])
def test_nothing_outside_is_reached(name: str) -> None:
    with pytest.raises(AssetError, match="under assets/"):
        assets.find(name)


def test_an_installed_package_looks_inside_itself(tmp_path, monkeypatch) -> None:
    package = tmp_path / "site-packages" / "vtexplore"
    (package / "assets" / "clips").mkdir(parents=True)
    (package / "assets" / "clips" / "a.mp4").touch()
    monkeypatch.setattr(assets, "_PACKAGE", package)
    monkeypatch.setattr(assets, "_CHECKOUT", package.parent)
    assert assets.find("clips/a.mp4").is_file()
    with pytest.raises(AssetError, match="pip install"):
        assets.find("clips/b.mp4")
