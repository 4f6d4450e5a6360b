-- A token may stand for a person, until people have accounts of their own. `number` is that person's number and is never used
-- twice; a token without roles has none of these and acts on no case. `roles` are words separated by spaces.
INSERT INTO sequences (name, value) VALUES ('person', 0);
ALTER TABLE tokens ADD COLUMN number BIGINT;
ALTER TABLE tokens ADD COLUMN person TEXT;
ALTER TABLE tokens ADD COLUMN roles TEXT;
ALTER TABLE tokens ADD COLUMN unit BIGINT;
