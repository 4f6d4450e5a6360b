//! The API from outside, without a socket: one line for each action.

mod access;
mod app;
mod basemaps;
mod cases;
mod confidential;
mod deeds;
mod devices;
mod document;
mod exports;
mod guessing;
mod hang_up;
mod live;
mod misuse_accounts;
mod misuse_registers;
mod outside;
mod people;
mod positions;
mod named;
mod registers;
mod reports;
mod rollups;
mod search;
mod streams;
mod two_units;
mod walk;
mod webhooks;
