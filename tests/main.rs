//! End-to-end tests: one module per promise. Each starts its own tenant, so they run side by side and leave nothing.

mod actions {
    mod accounts;
    mod applications;
    mod connections;
    mod email;
    mod email_signed;
    mod email_smtp;
    mod liquid;
    mod logs;
    mod messages;
    mod request;
    mod roles;
    mod secrets;
    mod sessions;
    mod tenant;
    mod users;
}
mod audit;
mod canary;
mod cli;
mod contract;
mod credentials;
mod demo;
mod doctor;
mod errors;
mod governor;
mod interactive;
mod faults {
    mod creates;
    mod kinds;
    mod matrix;
    mod page;
    mod plan;
    mod way;
}
mod json_interface;
mod mcp {
    mod clients;
    mod consent;
    mod http;
    mod offer;
    mod results;
    mod stdio;
}
mod operations {
    mod answers;
    pub(crate) mod recorder;
    mod requests;
    mod sample;
    mod schemas;
}
mod outputs;
mod paging;
mod policy;
mod private_key;
mod promises;
mod readme;
mod sandbox;
mod scopes;
mod secret_fields;
mod secret_sink;
mod smtp_server;
mod telemetry;
mod wasmtime_cli;
