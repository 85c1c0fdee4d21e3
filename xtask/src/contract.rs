//! The WIT package `connector:auth0`: assembled for registries and tools, compared with what was released, and held
//! against the component.
//!
//! The sources in `wit/` stand alone: they say what the component exports and name nothing of WASI. What the component
//! imports is known only when it is built, so the package that others take is put together from both
//! ([`Package::assemble`]). Two things would break callers without any compiler of ours noticing, and are checked here: a
//! component that is not what the package says ([`Package::check`]), and a package that is not what an earlier one of its
//! name said ([`evolution::compare`]; for what is passed as JSON, [`schemas::compare`]).

pub mod component;
pub mod evolution;
mod package;
pub mod released;
pub mod schemas;
mod shape;
mod wasi;

pub use package::{BINARY, Package};
pub use shape::Shape;

/// The world that is the component.
pub const CONNECTOR: &str = "connector";

/// The world for engines that run actions by their ids.
pub const PLUGIN: &str = "plugin";
