//! An offline Auth0 tenant: a real HTTP server with state, scopes, rate limits, logs and faults.
//!
//! It exists so that a connector can be tried without an account, and tested against what a tenant really does – the odd
//! parts included: `POST /roles` answers 200, a second `DELETE` of a user is 204, and nobody pages past record 1000. It
//! never answers with something that a tenant would not; where the behaviour is not known for sure, a comment marked `[?]`
//! says what was chosen.
//!
//! ```no_run
//! # async fn demo() -> Result<(), auth0_emulator::Error> {
//! use auth0_emulator::{Emulator, Fault, FaultKind, Seed};
//!
//! let tenant = Emulator::builder().seed(Seed::demo()).start().await?;
//! println!("{} as {}", tenant.base_url(), tenant.domain());
//! tenant.control().inject(Fault::new(FaultKind::TooManyRequests { retry_after: None, reset_in: None }).times(1));
//! // … call it …
//! assert_eq!(tenant.control().counters().requests, 1);
//! tenant.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What it serves
//!
//! The token endpoint, keys and discovery, the password-reset call of the Authentication API, and about a hundred
//! operations of the Management API (`src/operations.json` lists them with their scopes and schemas): users and what hangs
//! on them, roles, permissions, applications, connections, organizations, logs, settings, mail, tickets and jobs. An
//! operation outside this list answers 404 like any unknown path. A second listener stands in for the HTTP APIs of
//! SendGrid, Mailgun, Mandrill, SparkPost, Resend, Amazon SES, Azure Communication Services and Microsoft 365; signatures
//! are verified.
//!
//! Ids repeat from run to run; secrets, tokens and the signing key never do.
//!
//! # The control surface over HTTP
//!
//! The same as [`Control`], on the tenant's port, under a path that no tenant has. Control requests need no token, are not
//! counted and meet no faults.
//!
//! | request | does |
//! |---|---|
//! | `GET /__emulator/counters` | [`Counters`] |
//! | `GET /__emulator/requests` | array of [`SeenRequest`] |
//! | `DELETE /__emulator/requests` | sets counters to zero, forgets requests |
//! | `GET /__emulator/outbox`, `DELETE …` | array of [`Mail`]; forgets them |
//! | `POST /__emulator/faults` | adds a [`Fault`], or an array of them |
//! | `DELETE /__emulator/faults` | takes all faults back |
//! | `POST /__emulator/log-in` | `{"user_id", "client_id"?}` → [`Session`]; 409 when blocked, 404 when unknown |
//! | `POST /__emulator/failed-log-in` | `{"user", "ip"?}` |
//! | `POST /__emulator/expire-tokens` | every token issued so far is expired |
//! | `POST /__emulator/scopes` | `{"scopes": […]}` for the connector's application; absent = all |
//! | `POST /__emulator/index-delay` | `{"ms"}` |
//! | `POST /__emulator/email-provider` | an object as `POST /emails/provider` takes it, or `null` |
//! | `GET /__emulator/info` | domain, base URLs, audience, client id, plan |

#![deny(missing_docs)]

mod blocks;
mod call;
mod clients;
mod connections;
mod control;
mod control_http;
mod email;
mod factors;
mod faults;
mod http_server;
mod identities;
mod ids;
mod keys;
mod limits;
mod logs;
mod lucene;
mod mail;
mod operation;
mod organizations;
mod paging;
mod reply;
mod roles;
mod routes;
mod search;
mod seed;
mod seeding;
mod server;
mod sessions;
mod settings;
mod tenant;
mod tickets;
mod time;
mod tls;
mod tokens;
mod users;

pub use control::{Control, Counters, Listener, Mail, SeenRequest, Session};
pub use faults::{Chance, Fault, FaultKind};
pub use limits::{Plan, UnknownPlan};
pub use mail::MailAccounts;
pub use seed::{
    Seed, SeedClient, SeedConnection, SeedError, SeedLog, SeedOrganization, SeedResourceServer, SeedRole,
    SeedUser,
};
pub use server::{Builder, Emulator, Error};
pub use sessions::LoginError;
