//! Fixes as line protocol, for InfluxDB 2 and engines that take its lines over `/api/v2/write`.
//!
//! ```text
//! journal ─ follow ─ seconds ─┐                                 state (checkpoint, what is owed)
//!                             ├─ order (number) ─ line (text) ─ batch ─ delivery (retry, bisect) ─ influx ══▶ server
//! archive ─ fill ─────────────┘                                           └─ rejects (file)
//! archive counts ─ reconcile ◀─ Flux query ═════════════════════════════════════════════════════ server
//! ```
//!
//! # A point
//!
//! ```text
//! fix,device=17,terminal=013912345678 lat=22.543096,lon=114.057865,valid=true,…,quality=0i 1531620610000000000
//! ```
//!
//! The measurement is `fix` unless it is configured otherwise. One point is one fix.
//!
//! | tag | value |
//! | --- | --- |
//! | `device` | our number for the device |
//! | `terminal` | its identity as first sent or enrolled; a backslash in it is written `%5C` |
//!
//! Both belong to the device, so there is one series (InfluxDB) or one series a field (VictoriaMetrics) for each
//! device. Plates and drivers change and are personal: they stay in the registry.
//!
//! | field | type | unit, meaning |
//! | --- | --- | --- |
//! | `lat`, `lon` | float | degrees, WGS-84, up to 7 decimals; always there |
//! | `valid` | boolean | the terminal called the solution valid; always there |
//! | `ignition` | boolean | ACC on; absent when the source does not say |
//! | `altitude_m` | integer | metres above mean sea level |
//! | `speed_kmh` | float | km/h by GNSS, one decimal |
//! | `vehicle_speed_kmh` | float | km/h by the vehicle's own sensor, one decimal |
//! | `course_deg` | integer | degrees clockwise from true north |
//! | `satellites` | integer | satellites used |
//! | `signal` | integer | radio signal strength as sent, 0 to 255 |
//! | `odometer_m` | integer | metres |
//! | `fuel_l` | float | litres in the tank, one decimal |
//! | `engine_rpm` | integer | revolutions per minute |
//! | `status`, `alarms`, `quality` | integer | bits as in the archive's columns of these names; always there |
//!
//! A field that the source did not send is absent. Items without a field (OBD codes, vendors' own) are in the archive
//! only, and so are fixes whose clock is not believed: they have no time that a time series could put them at.
//!
//! # Time
//!
//! An engine knows a point by measurement, tags and time, and merges the fields of two that agree in these. So the time is
//! the fix time in nanoseconds *plus the number of the fix among those of its device and instant*: 0 for nearly all, 1 for the
//! second fix of one instant. See [`order`] for why the number of a fix never changes, whatever comes later and
//! however often it is sent. Engines that keep milliseconds (VictoriaMetrics) see both at one time, and keep both unless they
//! are told to remove duplicates.
//!
//! # Delivery
//!
//! At least once; a point that is sent again is the same point. See [`delivery`] for what becomes of lines that are refused, and
//! [`follow`] for what becomes of a server that stays away.
//!
//! This crate decodes no message, and has its clock, its random numbers and its settings given. It never holds up the journal's
//! writer, and never prints a secret.

pub mod backoff;
pub mod batch;
pub mod delivery;
pub mod fill;
pub mod follow;
pub mod influx;
pub mod line;
pub mod order;
pub mod reconcile;
pub mod rejects;
pub mod seconds;
pub mod state;
pub mod status;
