"""What a run has shown, for people: one page that needs neither network nor scripts. Importing it draws nothing yet."""

from loadtests.report.page import write_report

__all__ = ["write_report"]
