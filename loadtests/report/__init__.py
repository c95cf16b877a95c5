"""What a run has shown, for people: one page that needs neither network nor scripts. Importing it draws nothing yet."""

from loadtests.report.page import PAGE, write_report

__all__ = ["PAGE", "write_report"]
