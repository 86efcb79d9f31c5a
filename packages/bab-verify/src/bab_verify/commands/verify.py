"""The command `verify`."""

from pathlib import Path

from bab_verify.configs import VerifyConfig
from bab_verify.properties.vnnlib import load_vnnlib
from bab_verify.search.verifier import Verifier
from separata.output import Output
from separata.progress import Reporter

from .outputs import check_output
from .progress import watching
from .verdict import shown_verdict


def verify(network: Path, prop: Path, config: VerifyConfig, save: Path | None) -> Output:
    """Prove or refute a property, and keep the counterexample if that is asked for."""
    check_output(save)
    verifier = Verifier(network, config)
    specification = load_vnnlib(prop, verifier.graph.n_inputs, verifier.graph.n_outputs)
    reporter = Reporter()
    with watching(reporter) as tell:
        result = verifier.verify(specification, tell)
    return shown_verdict(result, save, reporter)
