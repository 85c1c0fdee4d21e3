//! E-mail: templates in Auth0's Liquid, and one HTTP request per email provider.
//!
//! Auth0 has no endpoint that sends an arbitrary mail; its Flows do it by rendering the tenant's Liquid and handing
//! the result to the tenant's own provider. This module does the same, in pure functions: subject and body, each an
//! [`auth0_liquid::Template`] that was rendered, become a [`Message`]; the tenant's [`Provider`] shapes a [`Delivery`] of
//! it, which is sent elsewhere, and the provider reads the answer.
//!
//! Pure because the guest has no clock and no network of its own that this module should know of: the time and the
//! key are arguments, and everything here runs natively under test.
//!
//! Three parties are not trusted, and each has its gate. Who writes the template meets the bounds of `auth0-liquid`;
//! who fills the profile cannot reach a mail header ([`Message`] and [`Mailbox`] refuse line breaks) nor a provider's
//! own template language; and what a tenant's settings say cannot choose the server that gets the key.

mod message;
mod provider;
mod refusal;

pub(crate) use message::{Address, Mailbox, Message, MessageError};
pub(crate) use provider::{Provider, ProviderError};
pub(crate) use refusal::{Refusal, RefusalKind};
