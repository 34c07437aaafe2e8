"""Simulated studies that test the report's statistics; scripts/simulate_report.py runs them. Not part of the wheel."""
