-- Tenants by a slug; a column that is no foreign key; extensions; a publication with its replica identity; an own restrictive policy.
CREATE EXTENSION citext; CREATE EXTENSION hstore;
CREATE TABLE firm (id int PRIMARY KEY, slug citext NOT NULL UNIQUE);
CREATE TABLE usage (id bigserial PRIMARY KEY, firm_id int NOT NULL, attributes hstore, name citext NOT NULL, UNIQUE (name));
CREATE TABLE doc (id int NOT NULL, firm_id int NOT NULL REFERENCES firm, path citext NOT NULL, UNIQUE (path), PRIMARY KEY (id));
CREATE UNIQUE INDEX doc_replica ON doc (path, id);
ALTER TABLE doc REPLICA IDENTITY USING INDEX doc_replica;
CREATE PUBLICATION everything FOR TABLE doc, usage;
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
CREATE POLICY never_secret ON doc AS RESTRICTIVE USING (path <> 'secret');
CREATE TABLE version (doc int NOT NULL REFERENCES doc ON DELETE CASCADE ON UPDATE CASCADE, n int NOT NULL, previous int, text text,
  PRIMARY KEY (doc, n), CONSTRAINT chain FOREIGN KEY (doc, previous) REFERENCES version ON DELETE SET NULL (previous));
CREATE FUNCTION keep() RETURNS void LANGUAGE sql AS $$ INSERT INTO doc VALUES (1, 1, 'x') ON CONFLICT (id) DO NOTHING $$;
INSERT INTO firm VALUES (1, 'north'), (2, 'south'), (3, 'west');
INSERT INTO usage (firm_id, attributes, name) SELECT id, hstore('a', '1'), slug || i FROM firm, generate_series(1, 3) i;
INSERT INTO doc SELECT id * 10 + i, id, '/' || slug || i FROM firm, generate_series(1, 3) i;
INSERT INTO version SELECT id, n, nullif(n - 1, 0), path FROM doc, generate_series(1, 3) n ORDER BY n;
