//! What an operator can show afterwards: one record per call.
//!
//! A record is made when its call ends, however it ends: done, refused, trapped, timed out, dropped by its caller, or
//! under way when the host was told to stop. It names who asked, what was decided, each request that was made of it and
//! how it came out; no inputs, no outputs, and no personal data beyond ids (`private_path` says how paths
//! are held to that).
//!
//! A call must not wait for a slow disk, so a sink takes records without blocking and keeps them in its own time.

mod error_code;
mod file;
mod journal;
mod record;
mod room;

use std::{any::Any, fmt, pin::Pin};

pub(crate) use self::journal::{Facts, Journal};
pub use auth0_egress::call::AuditRequest;

pub use self::{
    file::{AuditError, AuditFile},
    record::{AuditOutcome, AuditRecord, Decision, StopReason},
};

/// Takes the audit records of any number of tenants.
pub trait AuditSink: fmt::Debug + Send + Sync + 'static {
    /// Takes the record of a call that has ended. It is called on the call's own thread, and sometimes from a
    /// destructor: it must not block and must not wait. What cannot be taken is the sink's to count and to tell.
    fn record(&self, record: &AuditRecord);

    /// Checks whether a record could be kept now. Asked before each call; a call is refused where the answer is an
    /// error, so that nothing is done that nobody can show later. By default every call is let through.
    ///
    /// # Errors
    ///
    /// [`AuditUnavailable`], with the reason in words for the operator.
    fn ready(&self) -> Result<(), AuditUnavailable> {
        Ok(())
    }

    /// Takes room for the record of a call that is about to begin. What it returns is held until [`AuditSink::record`] has
    /// returned for this call; a call is refused where the answer is an error. By default no room is taken, and
    /// [`AuditSink::ready`] decides.
    ///
    /// # Errors
    ///
    /// As [`AuditSink::ready`].
    fn reserve(&self) -> Result<AuditReservation, AuditUnavailable> {
        self.ready().map(|()| AuditReservation::none())
    }

    /// Waits until what was taken is kept, or until waiting makes no sense any more. By default there is nothing to
    /// wait for.
    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

/// Room for one record, as long as this is held.
pub struct AuditReservation(
    #[expect(dead_code, reason = "what it holds is dropped")] Option<Box<dyn Any + Send + Sync>>,
);

impl AuditReservation {
    /// Holds nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// Holds a value, which gives the room back when it is dropped.
    pub fn new(room: impl Send + Sync + 'static) -> Self {
        Self(Some(Box::new(room)))
    }
}

impl fmt::Debug for AuditReservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditReservation")
    }
}

/// Why a sink cannot keep records now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit trail cannot be written: {reason}")]
pub struct AuditUnavailable {
    /// What is wrong, for the operator.
    pub reason: String,
}
