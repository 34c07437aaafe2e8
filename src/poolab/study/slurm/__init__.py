"""Studies on a cluster with SLURM: one array of single-cell jobs, their states, and their end."""
