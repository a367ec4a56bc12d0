-- Half adopted already, by a text key; two tables that need each other; a chain of five; a parent organisation.
CREATE TABLE plans (code text PRIMARY KEY);
CREATE TABLE orgs (id text PRIMARY KEY, parent text REFERENCES orgs, plan text REFERENCES plans);
CREATE TABLE users (tenant_id text NOT NULL REFERENCES orgs (id) ON DELETE CASCADE, id int PRIMARY KEY, name text);
CREATE TABLE hens (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, first_egg int NOT NULL, name text);
CREATE TABLE eggs (id int PRIMARY KEY, hen int NOT NULL REFERENCES hens DEFERRABLE INITIALLY DEFERRED, name text);
ALTER TABLE hens ADD FOREIGN KEY (first_egg) REFERENCES eggs DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE l1 (id int PRIMARY KEY, egg int NOT NULL REFERENCES eggs, name text);
CREATE TABLE l2 (id int PRIMARY KEY, up int NOT NULL REFERENCES l1, name text);
CREATE TABLE l3 (id int PRIMARY KEY, up int NOT NULL REFERENCES l2, org text REFERENCES orgs, name text);
INSERT INTO plans VALUES ('gold'); INSERT INTO orgs VALUES ('north', 'north', 'gold'), ('south', NULL, 'gold'), ('west', NULL, NULL);
INSERT INTO users SELECT id, row_number() OVER (), id FROM orgs;
INSERT INTO hens SELECT id, id, id, name FROM users; INSERT INTO eggs SELECT id, id, name FROM hens;
INSERT INTO l1 SELECT id, id, name FROM eggs; INSERT INTO l2 SELECT id, id, name FROM l1; INSERT INTO l3 SELECT id, id, CASE WHEN id = 1 THEN name END, name FROM l2;
