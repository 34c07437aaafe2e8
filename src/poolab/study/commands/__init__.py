"""The verbs and arguments of `poolab study` and `poolab report`, and what each of them prints."""
