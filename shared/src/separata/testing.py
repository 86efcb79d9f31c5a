"""What the tests of several packages share: commands called in the test's own process, and files of strangers."""

import contextlib
import io
import itertools
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import cli
from .paper import Paper


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    def assert_refused(self, *words: str, after_progress: bool = False) -> None:
        """Check that it ended as on bad input: exit code 2, nothing on standard output, one line that has the words.

        Args:
            words: What the line says.
            after_progress: Whether the command may have told how far it was before that line.
        """
        assert self.code == cli.BAD_INPUT, f"exit code {self.code}: {self.err}"
        assert not self.out, f"printed {self.out}"
        lines = self.err.splitlines()[-1:] if after_progress else self.err.splitlines()
        assert len(lines) == 1, f"not one line: {self.err}"
        assert ": error: " in lines[0], f"not an error: {lines[0]}"
        missing = [word for word in words if word not in lines[0]]
        assert not missing, f"does not say {missing}: {lines[0]}"


class Commands:
    """The commands of a package, called as they are typed: `call("train", "--out", folder)`."""

    def __init__(self, paper: Paper, commands: Sequence[Callable[..., Any]]) -> None:
        self.paper, self.commands = paper, commands

    def __call__(self, *words: object) -> Done:
        """Run one, and catch what it prints."""
        code, out, err = 0, io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                cli.main(self.paper, self.commands, [str(word) for word in words])
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
        return Done(code, out.getvalue(), err.getvalue())


def contents(folder: Path) -> dict[str, bytes]:
    """The files below a folder, by path: to see that nothing was written, or that everything is the same."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@contextlib.contextmanager
def interrupted_after(n_steps: int) -> Iterator[None]:
    """Inside the block, any optimizer is interrupted, as by Ctrl-C, after as many steps."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    steps = itertools.count(1)

    def interrupt(*_: object) -> None:
        if next(steps) == n_steps:
            raise KeyboardInterrupt

    hook = register_optimizer_step_post_hook(interrupt)
    try:
        yield
    finally:
        hook.remove()


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def write_bomb(path: Path, mark: Path, *, by_torch: bool = False) -> None:
    """Write a file that leaves a mark if it is ever unpickled."""
    if by_torch:
        import torch

        torch.save({"model": Bomb(mark)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(mark)))
