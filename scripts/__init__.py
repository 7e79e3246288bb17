"""Scripts for the repository itself; nothing here is installed."""
