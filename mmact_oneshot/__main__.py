"""``python -m mmact_oneshot``: the command line, for launchers that start modules."""

from mmact_oneshot.harness.cli.main import main

if __name__ == "__main__":
    main()
