"""The commands of the gate and their options; each loads what it needs when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Signers = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="OpenSSH's allowed signers, where the policy has `signed_by`.",
    ),
]
Signed = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Run folder, the audit.json in it, or a baseline."),
]


def check_command(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder, or the audit.json in it.")
    ],
    policy: Annotated[
        Path, typer.Option(metavar="FILE", help="The policy, such as leakage-policy.toml.")
    ],
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Baseline that [[regression]] rules compare with."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JUnit XML, one case per rule.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write SARIF 2.1.0 for code scanning.")
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Add markdown to it, such as a CI step summary."),
    ] = None,
    allowed_signers: Signers = None,
    selftest: Annotated[
        bool,
        typer.Option(
            "--selftest",
            help="Instead: compare the system with itself many times, and print how often the gate "
            "raises a false alarm.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the self-test.")] = 0,
) -> int:
    """Hold an audit against a policy.

    Exits with 0 where every rule is kept, 1 where one is violated, 2 where one cannot be judged.
    """
    from leakaudit.cli.checking import Outputs, check, self_test

    outputs = Outputs(junit=junit, sarif=sarif, summary=summary)
    if selftest:
        return self_test(run, policy, seed, baseline, outputs)
    return check(run, policy, baseline, outputs, allowed_signers)


def baseline_command(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder, or the audit.json in it.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write the baseline.")
    ] = Path("privacy-baseline.json"),
) -> None:
    """Keep what leaks today, to compare later audits with.

    Commit the file: `leakaudit check --baseline` compares the same patients under the same seeds.
    """
    from leakaudit.cli.checking import baseline

    baseline(run, out)


def sign_command(
    run: Signed,
    key: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="SSH private key, or the public one of a key that an agent holds.",
        ),
    ],
) -> None:
    """Vouch for a record, or for a baseline.

    Writes OpenSSH's signature beside it. Whoever edits a record can make its hash anew; a signature
    only with the key.
    """
    from leakaudit.cli.signing import sign

    sign(run, key)


def verify_command(
    run: Signed,
    allowed_signers: Annotated[
        Path,
        typer.Option(metavar="FILE", help="OpenSSH's allowed signers: a name and a key a line."),
    ],
) -> None:
    """Tell who signed a record, or a baseline.

    Exits with 2 where nobody among the allowed signers did, or where it was changed since.
    """
    from leakaudit.cli.signing import verify

    verify(run, allowed_signers)
