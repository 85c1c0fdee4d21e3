//! What comes with a dependency on the library, and what has to lie beside it.
//!
//! A binary of its own, which cargo runs when the others have ended: these tests compile for minutes, and would take the
//! processors from tests that hold a limit of time. Nor do they compile side by side.

mod cargo;
mod git_dependency;
mod packages;
mod project;
mod trees;
