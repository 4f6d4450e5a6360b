//! The API from outside, without a socket: one line for each action.

mod access;
mod app;
mod cases;
mod devices;
mod document;
mod people;
mod positions;
mod registers;
mod walk;
