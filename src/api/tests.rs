//! The API from outside, without a socket: one line for each action.

mod access;
mod app;
mod devices;
mod document;
mod positions;
mod registers;
