//! The connector's actions as tools of the Model Context Protocol (MCP), for agents.
//!
//! An agent is not trusted with what its user may do: it reads texts that strangers wrote, and follows some of them. So a
//! server is read-only unless its user says otherwise, a person is asked before what cannot be taken back, and each call
//! goes through the [`Tenant`](auth0_host::Tenant) like everybody's, with its policy, limits and audit record.
//!
//! The protocol is `rmcp`'s. Ours is what it is to say: which tools there are (`tools`, `permissions`), what a call may do
//! (`session`, `consent`, `question`, `plain_text`), and what comes back (`answer`, `result_buffer`). `stdio` and `http` are the two ways to it; neither knows
//! an action.

// `notice` escapes what could steer a terminal; nothing goes past it.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod access;
mod answer;
mod consent;
mod equivalent_actions;
mod http;
mod notice;
mod own_tools;
mod permissions;
mod plain_text;
mod question;
mod result_buffer;
mod server;
mod session;
mod stdio;
mod strangers;
mod tools;

pub use self::{
    access::{AccessToken, LoopbackAddress},
    consent::{Confirm, Consent},
    http::HttpServer,
    permissions::Permissions,
    result_buffer::ResultBytes,
    server::{DrainSecrets, OpenError, Server},
    stdio::serve as serve_stdio,
};
