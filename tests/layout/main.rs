//! The layout of the code, held by tests: layers, circles, sizes, types, rules, and what the documents say of files.
//!
//! Product code is read by `syn` ([`source`]), a path is followed to the file that defines what it names ([`modules`]), and what the
//! files need of one another is a graph ([`graph`]). Each check has a test of its own, and one on made-up files in which its fault is.

mod circles;
mod documents;
mod graph;
mod impls;
mod layers;
mod modules;
mod rules;
mod runner;
mod sizes;
mod source;
