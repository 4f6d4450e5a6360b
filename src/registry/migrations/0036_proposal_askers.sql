-- Who asked, as cases know the person: number, roles, and units from the root down. JSON; NULL = a machine, the command line, or a
-- proposal of before.
ALTER TABLE proposals ADD COLUMN asker TEXT;
