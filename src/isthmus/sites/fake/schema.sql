-- The tables of a fake world. One row per resource; nothing is kept anywhere else.
CREATE TABLE IF NOT EXISTS resource (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  site TEXT NOT NULL, kind TEXT NOT NULL, deployment TEXT NOT NULL, node TEXT NOT NULL, idx INTEGER NOT NULL,
  state TEXT NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL,
  cpus REAL NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0,
  image TEXT NOT NULL DEFAULT '', flavour TEXT NOT NULL DEFAULT '', authorized_key TEXT NOT NULL DEFAULT '',
  tags TEXT NOT NULL DEFAULT '{}', uses TEXT NOT NULL DEFAULT '[]', labels TEXT NOT NULL DEFAULT '[]',
  reason TEXT NOT NULL DEFAULT '',
  UNIQUE (site, kind, deployment, node, idx)
);
CREATE INDEX IF NOT EXISTS resource_deployment ON resource (deployment);
CREATE TABLE IF NOT EXISTS usage (
  site TEXT PRIMARY KEY, machines INTEGER NOT NULL, cpus REAL NOT NULL, memory INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS used AFTER INSERT ON resource WHEN NEW.kind = 'machine' BEGIN
  INSERT INTO usage VALUES (NEW.site, 1, NEW.cpus, NEW.size) ON CONFLICT (site) DO UPDATE
  SET machines = machines + 1, cpus = cpus + NEW.cpus, memory = memory + NEW.size;
END;
CREATE TRIGGER IF NOT EXISTS freed AFTER DELETE ON resource WHEN OLD.kind = 'machine' BEGIN
  UPDATE usage SET machines = machines - 1, cpus = cpus - OLD.cpus, memory = memory - OLD.size
  WHERE site = OLD.site;
END;
CREATE TABLE IF NOT EXISTS effect (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  time REAL NOT NULL, site TEXT NOT NULL, what TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  deployment TEXT NOT NULL, node TEXT NOT NULL, idx INTEGER NOT NULL, owner TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS run (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  machine TEXT NOT NULL, site TEXT NOT NULL, deployment TEXT NOT NULL, node TEXT NOT NULL, idx INTEGER NOT NULL,
  label TEXT NOT NULL, env TEXT NOT NULL, digest TEXT NOT NULL, count INTEGER NOT NULL, owner TEXT NOT NULL,
  began REAL NOT NULL, ended REAL, code INTEGER
);
CREATE INDEX IF NOT EXISTS run_machine ON run (machine, label);
CREATE INDEX IF NOT EXISTS run_deployment ON run (deployment);
CREATE TABLE IF NOT EXISTS rule (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  type TEXT NOT NULL, body TEXT NOT NULL, once INTEGER NOT NULL,
  seen INTEGER NOT NULL DEFAULT 0, spent INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS rule_live ON rule (spent) WHERE NOT spent;
