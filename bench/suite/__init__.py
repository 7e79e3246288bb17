"""What the benchmarks of speed share: rounds, figures, goals, tables, pictures, the load generator."""
