"""A file or a cut from a stranger cannot run code or lead to other files."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from nplm.io import ReadError, read_sample

X = np.arange(1.0, 5.0)


def _refused(path: Path, message: str, **options: object) -> None:
    with pytest.raises(ReadError, match=message) as caught:
        read_sample(path, **options)
    assert path.name in str(caught.value)


class _Harm:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.path), "w")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    objects = np.array([_Harm(harm)], dtype=object)
    np.savez(tmp_path / "a.npz", x=objects)
    np.save(tmp_path / "a.npy", objects)
    np.save(tmp_path / "field.npy", np.array([(1.0, _Harm(harm))], dtype=[("x", "f8"), ("o", "O")]))
    (tmp_path / "b.npy").write_bytes(pickle.dumps(_Harm(harm)))
    (tmp_path / "b.npz").write_bytes(pickle.dumps(_Harm(harm)))
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("x.npy", pickle.dumps(_Harm(harm)))
    for name in ("a.npz", "a.npy", "field.npy"):
        _refused(tmp_path / name, "is an object array .* never loaded")
    _refused(tmp_path / "field.npy", "cannot be read as npy: Object arrays cannot be loaded", features=["x"])
    for name in ("b.npy", "b.npz", "c.npz"):
        _refused(tmp_path / name, "cannot be read as np")
    assert not harm.exists()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.h5"
    with h5py.File(path, "w") as file:
        file["x"] = X
        file["group/x"] = X
    return path


def _external(file: h5py.File, secret: Path) -> None:
    file["x"] = h5py.ExternalLink(str(secret), "/x")


def _external_in_group(file: h5py.File, secret: Path) -> None:
    file.create_group("inner")["x"] = h5py.ExternalLink(str(secret), "/x")


def _external_group(file: h5py.File, secret: Path) -> None:
    file["inner"] = h5py.ExternalLink(str(secret), "/group")


def _soft_through_external(file: h5py.File, secret: Path) -> None:
    file["deep/deeper/out"] = h5py.ExternalLink(str(secret), "/group")
    file["x"] = h5py.SoftLink("deep/./deeper/out/x")


def _soft_to_soft(file: h5py.File, secret: Path) -> None:
    file["deep/deeper/out"] = h5py.ExternalLink(str(secret), "/x")
    file["deep/deeper/on"] = h5py.SoftLink("out")
    file["x"] = h5py.SoftLink("/deep/deeper/on")


def _external_storage(file: h5py.File, secret: Path) -> None:
    raw = secret.with_suffix(".raw")
    raw.write_bytes(X.tobytes())
    file.create_dataset("x", (4,), "f8", external=[(str(raw), 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "x", (4,))
    file.create_virtual_dataset("x", layout)


@pytest.mark.parametrize(
    "link",
    [
        _external,
        _external_in_group,
        _external_group,
        _soft_through_external,
        _soft_to_soft,
        _external_storage,
        _virtual,
    ],
)
def test_hdf5_does_not_leave_its_file(tmp_path: Path, secret: Path, link: Callable[[h5py.File, Path], None]) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        link(file, secret)
    _refused(path, "'.*' (is a link to|keeps its values in) .*; if you trust this file, pass allow_external_links=True")
    allowed = read_sample(path, features=["x"], allow_external_links=True)
    np.testing.assert_array_equal(allowed.events[:, 0], X)


def test_hdf5_links_in_circles_or_to_nothing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = h5py.SoftLink("/b")
        file["b"] = h5py.SoftLink("/a")
    _refused(tmp_path / "a.h5", "goes in circles")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["a"] = h5py.SoftLink("/nothing")
        file["x"] = X
    assert read_sample(tmp_path / "b.h5").features == ("x",)


@pytest.mark.parametrize(
    "cut", ["__import__('os').system('touch {}')", "open('{}', 'w') or pt > 1", "pt.__class__ > 1"]
)
def test_a_cut_runs_no_code(tmp_path: Path, cut: str) -> None:
    plain = tmp_path / "plain.npz"
    np.savez(plain, pt=X)
    _refused(plain, "the cut '.*' is refused", where=cut.format(tmp_path / "harm"))
    assert not (tmp_path / "harm").exists()
