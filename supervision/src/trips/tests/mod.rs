//! Tests of the cutter: named scenarios, properties, and the parts that have rules of their own.

mod parts;
mod properties;
mod scenarios;
mod track;
