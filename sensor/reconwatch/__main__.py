"""`python -m reconwatch`."""

from reconwatch.cli import run

if __name__ == "__main__":
    run()
