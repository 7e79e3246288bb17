PRAGMA application_id = 1212239180;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE checkpoints (
        run INTEGER NOT NULL,
        episode INTEGER NOT NULL,
        model TEXT NOT NULL,
        saved TEXT NOT NULL,
        PRIMARY KEY (run, episode, model)
    ) WITHOUT ROWID;
CREATE TABLE episodes (
        run INTEGER NOT NULL,
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
        PRIMARY KEY (run, episode)
    ) WITHOUT ROWID;
INSERT INTO "episodes" VALUES(1,1,'2026-11-28T23:17:10.682+00:00',-3.33333333333333314829e-01,11,0.25,0.5,1.5,12.5,0.125,100,'energy_depleted',900.0,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,2,'2026-11-28T23:17:10.682+00:00',-6.66666666666666629659e-01,12,0.25,0.5,1.5,12.5,0.125,100,NULL,900.0,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,3,'2026-11-28T23:17:10.682+00:00',-1.0,13,0.25,0.5,1.5,12.5,0.125,100,'energy_depleted',900.0,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,4,'2026-11-28T23:17:10.682+00:00',-1.33333333333333325931e+00,14,0.25,0.5,1.5,12.5,0.125,100,NULL,900.0,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,5,'2026-11-28T23:17:10.682+00:00',-1.66666666666666674068e+00,15,0.25,0.5,1.5,12.5,0.125,100,'energy_depleted',900.0,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,6,'2026-11-28T23:17:10.682+00:00',-2.0,16,0.25,0.5,1.5,12.5,0.125,100,NULL,900.0,NULL,NULL,NULL);
INSERT INTO "episodes" VALUES(1,7,'2026-11-28T23:17:10.682+00:00',-2.33333333333333348136e+00,17,0.25,0.5,1.5,12.5,0.125,100,'energy_depleted',900.0,NULL,NULL,NULL);
CREATE TABLE failures (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        timestamp TEXT NOT NULL,
        episode INTEGER NOT NULL,
        agent_id TEXT NOT NULL,
        reason TEXT NOT NULL
    );
INSERT INTO "failures" VALUES(1,1,'2026-11-28T23:17:10.682+00:00',1,'agent_0','energy_depleted');
INSERT INTO "failures" VALUES(2,1,'2026-11-28T23:17:10.682+00:00',3,'agent_0','energy_depleted');
INSERT INTO "failures" VALUES(3,1,'2026-11-28T23:17:10.682+00:00',5,'agent_0','energy_depleted');
INSERT INTO "failures" VALUES(4,1,'2026-11-28T23:17:10.682+00:00',7,'agent_0','energy_depleted');
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
INSERT INTO "runs" VALUES(1,'20260101-000000-aaaaaa','server','running',NULL,'2026-11-28T23:17:10.675+00:00',NULL,'egocentric',7,'cpu','{"num_episodes":100,"batch_size":32,"buffer_capacity":10000,"show_every":5,"step_delay":0.2,"network_type":"egocentric","learning_rate":0.001,"gamma":0.98,"seed":7,"checkpoint_every":50,"max_steps":500,"num_envs":1,"resume_from":null}','2.0.0','2.13.0+cpu',NULL,7);
CREATE INDEX episodes_by_reason ON episodes (run, failure_reason, episode);
CREATE INDEX failures_of_run ON failures (run, episode);
CREATE INDEX failures_by_episode ON failures (episode, id);
CREATE INDEX failures_by_reason ON failures (reason, episode, id);
COMMIT;
