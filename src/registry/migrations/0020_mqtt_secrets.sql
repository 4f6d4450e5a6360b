-- How a device proves over MQTT who it is: a keyed hash of its random secret, 64 hex digits. The secret itself is shown once, when it
-- is made, and kept nowhere.
ALTER TABLE devices ADD COLUMN mqtt_secret_hash TEXT;
