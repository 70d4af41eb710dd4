"""What a person is told of a finding: its verdict and next steps, and when it is worth saying again."""

from reconwatch.desk.desk import Desk

__all__ = ["Desk"]
