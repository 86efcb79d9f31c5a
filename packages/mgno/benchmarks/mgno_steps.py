"""A training step of each network: its time, and its memory in a fresh process.

`python mgno_steps.py FNO 64 1 4 3` prints what `measure` finds, as JSON.
"""

import contextlib
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from mgno.configs import DataShape, ModelConfig
from mgno.network import count_parameters
from mgno.operators import make_network

PEER = "FNO of neuraloperator"


def peer(width):
    """The library's FNO with the modes and layers of ours."""
    from neuralop.models import FNO

    return FNO(n_modes=(24, 22), in_channels=1, out_channels=1, hidden_channels=width or 32, n_layers=4)


KINDS = {"MgNO": "mgno", "FNO": "fno", "U-Net": "unet", "dilated ResNet": "dilated-resnet"}
NAMES = ["MgNO", "FNO", PEER, "U-Net", "dilated ResNet"]


def make(name, size, width=None):
    """The network for one function to one function, in the width of the literature if none is given."""
    if name == PEER:
        return peer(width)
    return make_network(ModelConfig(kind=KINDS[name], width=width), DataShape(1, 1, size, size))


def make_step(module, size, batch):
    """One step of Adam on random functions on a grid of size x size, as a function without arguments."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(batch, 1, size, size, generator=generator) for _ in range(2))
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)

    def step():
        optimizer.zero_grad()
        loss = (module(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def resident(which):
    """Of this process, in MiB: what is resident now (`VmRSS`), or the most that was (`VmHWM`); None but on Linux.

    Not `getrusage`, whose maximum a process inherits from the one that started it.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines[which].split()[0]) / 1024


def forget_the_most():
    """Let `VmHWM` begin again at what is resident now, where that is allowed."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def measure(name, size, n_threads, batch, n_steps):
    """Parameters, median milliseconds of a step, and MiB that training takes beside the libraries.

    The memory is that of the network, its gradients, the optimizer's averages, and all that a step keeps.
    """
    torch.set_num_threads(n_threads)
    # Loads code. What a larger network would leave behind could be used again, and would not be seen below.
    make_step(make(name, 16, width=2), 16, 2)()
    forget_the_most()
    before = resident("VmRSS")
    module = make(name, size)
    step, seconds = make_step(module, size, batch), []
    for _ in range(n_steps + 1):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    memory = before and resident("VmHWM") - before
    return {"parameters": count_parameters(module), "ms": 1000 * statistics.median(seconds[1:]), "memory": memory}


def measured_apart(*arguments):
    """What `measure` finds in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(names, sizes, threads, batch, n_steps, measure=measured_apart):
    """The README's table: a row for each network, times with each number of threads, memory with the first."""
    squares = [f"{size}²" for size in sizes]
    head = ["", "parameters", *(f"ms at {s}" for s in squares), *(f"MiB at {s}" for s in squares)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for name in names:
        found = {(size, n): measure(name, size, n, batch, n_steps) for size in sizes for n in threads}
        times = [" / ".join(f"{found[size, n]['ms']:,.0f}" for n in threads) for size in sizes]
        memories = [found[size, threads[0]]["memory"] for size in sizes]
        n_parameters = found[sizes[0], threads[0]]["parameters"]
        lines.append(
            [name, f"{n_parameters:,}", *times, *("" if memory is None else f"{memory:,.0f}" for memory in memories)]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    chosen, *numbers = sys.argv[1:]
    sys.stdout.write(f"{json.dumps(measure(chosen, *map(int, numbers)))}\n")
