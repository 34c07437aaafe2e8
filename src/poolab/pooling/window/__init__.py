"""Window methods: they pool local windows and reduce a map by a stride. One family a file."""
