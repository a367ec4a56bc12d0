-- Partitions at two depths, by range, list and hash; keys between them; a unique index on one leaf; a trigger that is off on one leaf.
CREATE TABLE customer (id bigint PRIMARY KEY, name text);
CREATE TABLE device (id int GENERATED ALWAYS AS IDENTITY, customer bigint NOT NULL REFERENCES customer ON UPDATE CASCADE, serial text, region text NOT NULL,
  PRIMARY KEY (id, region), UNIQUE (region, serial)) PARTITION BY LIST (region);
CREATE TABLE device_eu PARTITION OF device FOR VALUES IN ('eu');
CREATE TABLE device_rest PARTITION OF device DEFAULT;
CREATE TABLE reading (at date NOT NULL, id bigserial, device int NOT NULL, region text NOT NULL, value text,
  PRIMARY KEY (at, id), FOREIGN KEY (device, region) REFERENCES device ON DELETE CASCADE) PARTITION BY RANGE (at);
CREATE TABLE reading_2025 PARTITION OF reading FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY HASH (id);
CREATE TABLE reading_2025_a (gone int, value text, region text NOT NULL, at date NOT NULL, id bigint NOT NULL DEFAULT 0, device int NOT NULL);
ALTER TABLE reading_2025_a DROP COLUMN gone;
ALTER TABLE reading_2025 ATTACH PARTITION reading_2025_a FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE reading_2025_b PARTITION OF reading_2025 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE reading_later PARTITION OF reading DEFAULT;
CREATE UNIQUE INDEX only_here ON reading_later (device, value);
CREATE UNIQUE INDEX device_name ON device (region, serial, id);
CREATE TABLE alarm (id int PRIMARY KEY, at date NOT NULL, reading bigint NOT NULL, text text, FOREIGN KEY (at, reading) REFERENCES reading (at, id));
CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.value := NEW.value || '!'; RETURN NEW; END $$;
CREATE TRIGGER marked BEFORE UPDATE ON reading FOR EACH ROW EXECUTE FUNCTION mark();
ALTER TABLE reading_2025_b DISABLE TRIGGER marked;
CREATE VIEW latest AS SELECT DISTINCT ON (device) * FROM reading ORDER BY device, at DESC;
INSERT INTO customer VALUES (7, 'north'), (8, 'south'), (9, 'west');
INSERT INTO device (customer, serial, region) SELECT id, name || i, CASE i WHEN 1 THEN 'eu' ELSE 'us' END FROM customer, generate_series(1, 2) i;
INSERT INTO reading (at, device, region, value) SELECT date '2025-10-01' + i * 40, id, region, serial || i FROM device, generate_series(1, 6) i;
INSERT INTO alarm SELECT row_number() OVER (), at, id, value FROM reading;
