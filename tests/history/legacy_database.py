"""A legacy `metrics.db`."""

import sqlite3
from contextlib import closing
from pathlib import Path


def make_legacy(path: Path, *, wal: bool = False) -> None:
    """Three episodes with their figures, the second one told twice, and two failures."""
    with closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            """
            CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, episode INTEGER,
                                  agent_id TEXT, metric_name TEXT, value REAL);
            CREATE TABLE failure_events (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT,
                                         episode INTEGER, agent_id TEXT, reason TEXT);
            """
        )
        figures = [(1, -5.5, 40), (2, 0.0, 1), (2, 7.25, 80), (3, 1.0, 60)]
        for number, (episode, reward, length) in enumerate(figures):
            time = f"2025-03-01T10:00:0{number}.500000"
            values = {"total_reward": reward, "episode_length": length, "epsilon": 0.5, "q_mean": 3.0}
            connection.executemany(
                "INSERT INTO metrics (timestamp, episode, agent_id, metric_name, value)"
                " VALUES (?, ?, ?, ?, ?)",
                [(time, episode, "agent_0", name, value) for name, value in values.items()],
            )
        connection.executemany(
            "INSERT INTO failure_events (timestamp, episode, agent_id, reason) VALUES (?, ?, ?, ?)",
            [
                ("2025-03-01T10:00:00", 1, "agent_0", "energy_depleted"),
                ("2025-03-01T10:00:03", 3, "agent_1", "=cmd|' /C calc'!A0"),
            ],
        )
        connection.commit()
