//! The contract: the WIT package `connector:auth0` and the schemas of its JSON, as text.
//!
//! An engine that binds the contract takes the files from here, or from a registry of WIT packages; with the feature
//! `wasmtime` it takes the bindings themselves. What a version promises is in `docs/versions.md` of the repository.
#![deny(missing_docs)]

#[cfg(feature = "wasmtime")]
pub mod wasmtime;

/// The files of the WIT package, by name.
pub const FILES: &[(&str, &str)] = &[
    ("actions.wit", include_str!("../actions.wit")),
    ("applications.wit", include_str!("../applications.wit")),
    ("connections.wit", include_str!("../connections.wit")),
    ("email.wit", include_str!("../email.wit")),
    ("logs.wit", include_str!("../logs.wit")),
    ("request.wit", include_str!("../request.wit")),
    ("roles.wit", include_str!("../roles.wit")),
    ("sessions.wit", include_str!("../sessions.wit")),
    ("tenant.wit", include_str!("../tenant.wit")),
    ("types.wit", include_str!("../types.wit")),
    ("users.wit", include_str!("../users.wit")),
    ("world.wit", include_str!("../world.wit")),
];

/// JSON Schema (2020-12) of the filter that `list-actions` takes.
pub const ACTION_FILTER_SCHEMA: &str = include_str!("../schema/action-filter.json");

/// JSON Schema (2020-12) of what `list-actions` answers.
pub const ACTION_LIST_SCHEMA: &str = include_str!("../schema/action-list.json");

/// JSON Schema (2020-12) of what `describe-action` answers.
pub const ACTION_DESCRIPTION_SCHEMA: &str = include_str!("../schema/action-description.json");
