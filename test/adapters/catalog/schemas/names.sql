-- Several schemas, names in mixed case, reserved, with quotes and a dot; the same name in two schemas.
CREATE SCHEMA "Sales Dept"; CREATE SCHEMA "select";
CREATE TABLE "select"."Tenant" ("Key" int PRIMARY KEY, "user" text);
CREATE TABLE "Sales Dept"."order" ("Id" int, "from" int NOT NULL CONSTRAINT "to ""T""" REFERENCES "select"."Tenant", "group" text NOT NULL, PRIMARY KEY ("Id"));
CREATE TABLE public."order" (id int PRIMARY KEY, "Order" int NOT NULL REFERENCES "Sales Dept"."order" ("Id") ON DELETE SET DEFAULT, "x.y" text);
CREATE TABLE "Sales Dept"."Größe; DROP" ("order" int NOT NULL REFERENCES public."order", "it's" text, "$1" int, PRIMARY KEY ("$1"), UNIQUE ("it's", "$1"));
CREATE UNIQUE INDEX " USING btree (" ON "Sales Dept"."Größe; DROP" (("it's" || ' USING btree ('), "$1");
CREATE TABLE "Sales Dept"."a.b" ("end" int NOT NULL REFERENCES "Sales Dept"."Größe; DROP" ("$1"), "then" int UNIQUE, note text, PRIMARY KEY ("end"));
CREATE VIEW "select"."View" AS SELECT "group" AS "all" FROM "Sales Dept"."order";
CREATE FUNCTION "select"."Do"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'seen'; END $$;
CREATE TRIGGER "When" BEFORE UPDATE ON "Sales Dept"."order" FOR EACH ROW EXECUTE FUNCTION "select"."Do"();
INSERT INTO "select"."Tenant" VALUES (1, 'north'), (2, 'south'), (3, 'west');
INSERT INTO "Sales Dept"."order" SELECT "Key" * 10 + i, "Key", "user" FROM "select"."Tenant", generate_series(1, 2) i;
INSERT INTO public."order" SELECT "Id" * 10, "Id", "group" FROM "Sales Dept"."order";
INSERT INTO "Sales Dept"."Größe; DROP" SELECT id, "x.y", id + 1 FROM public."order";
INSERT INTO "Sales Dept"."a.b" SELECT "$1", "$1", "it's" FROM "Sales Dept"."Größe; DROP";
