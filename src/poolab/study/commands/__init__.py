"""The words of `poolab study` and `poolab report`, and what each prints."""
