//! What the requests of a tenant's connector may do.
//!
//! The floor below the egress: where a request may go ([`destination`], [`address`]), what rules a person has written
//! about it ([`policy`]), what it can do beyond what it says ([`reach`]), why it is refused ([`denial`]), which scopes it needs ([`scopes`]), and what a record of it
//! leaves out ([`private_path`]). Everything here is decided from values, without I/O, so that a marketplace or an
//! editor of policies can ask the same questions as the host.
#![deny(missing_docs)]

pub mod action;
pub mod address;
pub mod base_url;
pub mod bounded_text;
pub mod denial;
pub mod destination;
pub mod domain;
pub mod mail_provider;
pub mod policy;
pub mod printable;
pub mod private_path;
pub mod reach;
pub mod scopes;
