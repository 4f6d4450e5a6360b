-- Who let a webhook tell of flags and cases, at the address and with the events that it has; NULL = nobody, and it tells of none.
ALTER TABLE webhooks ADD COLUMN approved_by TEXT;
