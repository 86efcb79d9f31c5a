"""A package is its author's own: nothing of the frame that `separata new` writes is left to be written."""

from house import ROOT, Package

TEXTS = {".md", ".py", ".pyi", ".toml"}


def test_nothing_is_left_to_write(package: Package):
    from separata.new import LEFT

    texts = [path for path in package.root.rglob("*") if path.suffix in TEXTS and path.is_file()]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if LEFT in line
    ]
    assert not found
