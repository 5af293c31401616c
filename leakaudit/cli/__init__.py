"""The command line."""


def main() -> None:
    """Run `leakaudit`."""
    from leakaudit.cli.app import run

    run()
