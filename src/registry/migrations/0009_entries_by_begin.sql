-- Lists of orders begin with the newest.
CREATE INDEX entries_by_begin ON entries (kind, about_from, id, version);
