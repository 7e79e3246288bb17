"""Share rounds, figures, goals, tables, pictures and the load generator among the benchmarks of speed."""
