"""`python -m leakaudit`: the command line, where no script was installed."""

from leakaudit.cli import main

if __name__ == "__main__":
    main()
