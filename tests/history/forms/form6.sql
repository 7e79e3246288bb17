PRAGMA application_id = 1212239180;
PRAGMA user_version = 6;
BEGIN TRANSACTION;
CREATE TABLE agent_episodes (
        run INTEGER NOT NULL REFERENCES runs (number),
        episode INTEGER NOT NULL,
        agent_id TEXT NOT NULL,
        reward REAL NOT NULL,
        length INTEGER NOT NULL,
        failure_reason TEXT,
        PRIMARY KEY (run, episode, agent_id),
        FOREIGN KEY (run, episode) REFERENCES episodes (run, episode)
    ) WITHOUT ROWID;
INSERT INTO "agent_episodes" VALUES(2,1,'agent_0',-1.5,11,'energy_depleted');
INSERT INTO "agent_episodes" VALUES(2,1,'agent_1',-2.5,9,NULL);
CREATE TABLE checkpoints (
        run INTEGER NOT NULL REFERENCES runs (number),
        episode INTEGER NOT NULL,
        model TEXT NOT NULL,
        saved TEXT NOT NULL,
        PRIMARY KEY (run, episode, model)
    ) WITHOUT ROWID;
INSERT INTO "checkpoints" VALUES(1,5,'mine.pt','2026-11-29T12:37:50.196+00:00');
CREATE TABLE episodes (
        run INTEGER NOT NULL REFERENCES runs (number),
        episode INTEGER NOT NULL,
        ended TEXT NOT NULL,
        reward REAL,
        length INTEGER,
        loss REAL,
        epsilon REAL,
        avg_reward_5 REAL,
        avg_length_5 REAL,
        avg_loss_5 REAL,
        buffer_size INTEGER,
        failure_reason TEXT,
        steps_per_second REAL,
        evaluation_mean_length REAL,
        evaluation_mean_return REAL,
        evaluation_episodes INTEGER,
        q_value REAL,
        evaluation_random_mean_length REAL,
        evaluation_random_mean_return REAL,
        evaluation_random_episodes INTEGER,
        PRIMARY KEY (run, episode)
    ) WITHOUT ROWID;
INSERT INTO "episodes" VALUES(1,1,'2026-11-29T12:37:50.196+00:00',-3.33333333333333314829e-01,11,0.25,0.5,1.5,12.5,0.125,100,'energy_depleted',900.0,NULL,NULL,NULL,3.5,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,2,'2026-11-29T12:37:50.196+00:00',-6.66666666666666629659e-01,12,0.25,0.5,1.5,12.5,0.125,100,NULL,900.0,NULL,NULL,NULL,3.5,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,3,'2026-11-29T12:37:50.196+00:00',-1.0,13,0.25,0.5,1.5,12.5,0.125,100,'energy_depleted',900.0,NULL,NULL,NULL,3.5,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,4,'2026-11-29T12:37:50.196+00:00',-1.33333333333333325931e+00,14,0.25,0.5,1.5,12.5,0.125,100,NULL,900.0,NULL,NULL,NULL,3.5,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,5,'2026-11-29T12:37:50.196+00:00',-1.66666666666666674068e+00,15,0.25,0.5,1.5,12.5,0.125,100,'energy_depleted',900.0,480.0,120.5,3,3.5,80.0,-20.5,30);
INSERT INTO "episodes" VALUES(2,1,'2026-11-29T12:37:50.197+00:00',-3.33333333333333314829e-01,11,0.25,0.5,1.5,12.5,0.125,100,'energy_depleted',900.0,NULL,NULL,NULL,3.5,NULL,NULL,NULL);
CREATE TABLE failure_counts (
        run INTEGER NOT NULL REFERENCES runs (number),
        agent_id TEXT NOT NULL,
        reason TEXT NOT NULL,
        count INTEGER NOT NULL,
        last_episode INTEGER NOT NULL,
        last_timestamp TEXT NOT NULL,
        PRIMARY KEY (agent_id, reason, run)
    ) WITHOUT ROWID;
INSERT INTO "failure_counts" VALUES(1,'agent_0','energy_depleted',3,5,'2026-11-29T12:37:50.196+00:00');
INSERT INTO "failure_counts" VALUES(2,'agent_0','energy_depleted',1,1,'2026-11-29T12:37:50.197+00:00');
CREATE TABLE failures (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (number),
        timestamp TEXT NOT NULL,
        episode INTEGER NOT NULL,
        agent_id TEXT NOT NULL,
        reason TEXT NOT NULL,
        FOREIGN KEY (run, episode) REFERENCES episodes (run, episode)
    );
INSERT INTO "failures" VALUES(1,1,'2026-11-29T12:37:50.196+00:00',1,'agent_0','energy_depleted');
INSERT INTO "failures" VALUES(2,1,'2026-11-29T12:37:50.196+00:00',3,'agent_0','energy_depleted');
INSERT INTO "failures" VALUES(3,1,'2026-11-29T12:37:50.196+00:00',5,'agent_0','energy_depleted');
INSERT INTO "failures" VALUES(4,2,'2026-11-29T12:37:50.197+00:00',1,'agent_0','energy_depleted');
CREATE TABLE runs (
        number INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        began TEXT NOT NULL,
        ended TEXT,
        network_type TEXT,
        seed INTEGER,
        device TEXT,
        parameters TEXT,
        package_version TEXT,
        torch_version TEXT,
        model TEXT,
        episodes INTEGER NOT NULL DEFAULT 0
    );
INSERT INTO "runs" VALUES(1,'20260101-000000-aaaaaa','server','complete',NULL,'2026-11-29T12:37:50.187+00:00','2026-11-29T12:37:50.196+00:00','options',7,'cpu','{"num_episodes":100,"batch_size":32,"buffer_capacity":10000,"show_every":5,"step_delay":0.2,"network_type":"options","learning_rate":0.001,"gamma":0.98,"seed":7,"checkpoint_every":50,"max_steps":500,"num_envs":1,"random_start":0.75,"num_agents":null,"contention":null,"world":null,"show":"live","resume_from":null}','2.0.0','2.13.0+cpu','mine.pt',5);
INSERT INTO "runs" VALUES(2,'20260102-000000-bbbbbb','command_line','running',NULL,'2026-11-29T12:37:50.196+00:00',NULL,'options',7,'cpu','{"num_episodes":100,"batch_size":32,"buffer_capacity":10000,"show_every":5,"step_delay":0.2,"network_type":"options","learning_rate":0.001,"gamma":0.98,"seed":7,"checkpoint_every":50,"max_steps":500,"num_envs":1,"random_start":0.75,"num_agents":null,"contention":null,"world":null,"show":"live","resume_from":null}','2.0.0','2.13.0+cpu',NULL,1);
CREATE INDEX episodes_by_reason ON episodes (run, failure_reason, episode);
CREATE INDEX failures_of_run ON failures (run, episode);
CREATE INDEX failures_by_episode ON failures (episode, id);
CREATE INDEX failures_by_reason ON failures (reason, episode, id);
CREATE INDEX failures_by_kind ON failures (agent_id, reason, episode, timestamp);
CREATE TRIGGER failure_added AFTER INSERT ON failures BEGIN 
    INSERT INTO failure_counts VALUES (new.run, new.agent_id, new.reason, 1, new.episode, new.timestamp)
    ON CONFLICT (agent_id, reason, run) DO UPDATE SET
        count = count + 1,
        last_episode = max(last_episode, excluded.last_episode),
        last_timestamp = max(last_timestamp, excluded.last_timestamp);
 END;
CREATE TRIGGER failure_taken AFTER DELETE ON failures BEGIN 
    UPDATE failure_counts SET count = count - 1 WHERE run = old.run AND agent_id = old.agent_id AND reason = old.reason;
    DELETE FROM failure_counts WHERE run = old.run AND agent_id = old.agent_id AND reason = old.reason AND count = 0;
    UPDATE failure_counts SET
        (last_episode, last_timestamp) =
            (SELECT max(episode), max(timestamp) FROM failures WHERE run = old.run AND agent_id = old.agent_id AND reason = old.reason)
    WHERE run = old.run AND agent_id = old.agent_id AND reason = old.reason AND (last_episode = old.episode OR last_timestamp = old.timestamp);
 END;
CREATE TRIGGER failure_changed AFTER UPDATE ON failures BEGIN 
    INSERT INTO failure_counts VALUES (new.run, new.agent_id, new.reason, 1, new.episode, new.timestamp)
    ON CONFLICT (agent_id, reason, run) DO UPDATE SET
        count = count + 1,
        last_episode = max(last_episode, excluded.last_episode),
        last_timestamp = max(last_timestamp, excluded.last_timestamp);
 
    UPDATE failure_counts SET count = count - 1 WHERE run = old.run AND agent_id = old.agent_id AND reason = old.reason;
    DELETE FROM failure_counts WHERE run = old.run AND agent_id = old.agent_id AND reason = old.reason AND count = 0;
    UPDATE failure_counts SET
        (last_episode, last_timestamp) =
            (SELECT max(episode), max(timestamp) FROM failures WHERE run = old.run AND agent_id = old.agent_id AND reason = old.reason)
    WHERE run = old.run AND agent_id = old.agent_id AND reason = old.reason AND (last_episode = old.episode OR last_timestamp = old.timestamp);
 END;
COMMIT;
