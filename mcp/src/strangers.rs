//! Connections that have not shown the token yet.
//!
//! Whatever runs on the machine can connect, as often as it likes, and say nothing. Such connections have few places of
//! their own, each for a short time, and the newest takes the place of the oldest: a client that has the token shows it in
//! its first bytes, and is then counted among the agents, whose places nobody else can use up.

use std::{
    collections::VecDeque,
    future::{Future, pending},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Places of strangers. An agent opens some connections at once when it begins.
pub(super) const MOST: usize = 32;
/// How long one may be a stranger: a client sends its headers at once, or is none.
const TIME: Duration = Duration::from_secs(10);

/// Those of a server.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<VecDeque<Weak<Visitor>>>);

/// Who is behind a connection.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// The place among the agents, once the token was shown.
    place: OnceLock<OwnedSemaphorePermit>,
    expelled: Notify,
}

impl Strangers {
    /// Lets a new one in, and the oldest out where there are too many.
    pub(super) fn admit(&self) -> Arc<Visitor> {
        let visitor = Arc::new(Visitor::default());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those who have left, and those who are none any more.
        all.retain(|other| other.upgrade().is_some_and(|other| !other.is_known()));
        all.push_back(Arc::downgrade(&visitor));
        while all.len() > MOST {
            if let Some(oldest) = all.pop_front().and_then(|oldest| oldest.upgrade()) {
                oldest.expelled.notify_one();
            }
        }
        visitor
    }
}

impl Visitor {
    fn is_known(&self) -> bool {
        self.place.get().is_some()
    }

    /// Takes a place among the agents, unless it has one. `false` where none is left.
    pub(super) fn recognise(&self, places: &Arc<Semaphore>) -> bool {
        if self.is_known() {
            return true;
        }
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { return false };
        // Another request of this connection may have been faster; then this place is free again.
        let _ = self.place.set(place);
        true
    }

    /// Ends when this one has to go. For one who is known that is never.
    pub(super) async fn expulsion(&self) {
        tokio::select! {
            () = tokio::time::sleep(TIME) => {}
            () = self.expelled.notified() => {}
        }
        if self.is_known() {
            pending::<()>().await;
        }
    }
}

/// Serves a connection until it ends or its visitor has to go.
pub(super) async fn unless_expelled(visitor: &Visitor, serving: impl Future) {
    tokio::select! {
        _ = serving => {}
        () = visitor.expulsion() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_expelled(visitor: &Visitor) -> bool {
        tokio::select! {
            biased;
            () = visitor.expulsion() => true,
            () = tokio::task::yield_now() => false,
        }
    }

    #[tokio::test]
    async fn the_oldest_stranger_makes_room_and_nobody_who_showed_the_token_does() {
        let (strangers, places) = (Strangers::default(), Arc::new(Semaphore::new(1)));
        let agent = strangers.admit();
        assert!(agent.recognise(&places) && agent.recognise(&places), "one place for a connection");
        let second = strangers.admit();
        assert!(!second.recognise(&places), "the places of agents are bounded, too");
        let first: Vec<Arc<Visitor>> = (1..MOST).map(|_| strangers.admit()).collect();
        assert!(!is_expelled(&second).await, "there are as many as there may be");
        let newest = strangers.admit();
        assert!(is_expelled(&second).await);
        assert!(!is_expelled(&agent).await && !is_expelled(&newest).await && !is_expelled(&first[0]).await);
        drop(first);
        drop(agent);
        assert!(newest.recognise(&places), "who leaves gives the place back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_token_ends_after_a_short_time_and_one_with_it_does_not() {
        let (strangers, places) = (Strangers::default(), Arc::new(Semaphore::new(2)));
        let (stranger, agent) = (strangers.admit(), strangers.admit());
        assert!(agent.recognise(&places));
        // The clock is virtual: it goes on where everybody waits.
        unless_expelled(&stranger, pending::<()>()).await;
        let longer = tokio::time::timeout(TIME * 100, unless_expelled(&agent, pending::<()>()));
        assert!(longer.await.is_err());
    }
}
