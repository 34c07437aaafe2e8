"""The window methods: local, they reduce a map by a stride. One family a file."""
