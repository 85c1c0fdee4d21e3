//! What became of the secrets that one call's requests made.
//!
//! Written down by the task that delivers them, so that a call which ends before the sink does can say so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{SecretName, SinkError, deliveries::SecretUndelivered};

/// The secrets of one call that are not where they belong.
#[derive(Debug, Default)]
pub struct MadeSecrets(Mutex<MadeState>);

#[derive(Debug, Default)]
struct MadeState {
    /// With the sink, or refused by it.
    kept: Vec<(SecretName, Arc<SinkError>)>,
    /// What those belong to whose answer was not read: `clients/abc`, and `clients` where the tenant was to choose the id.
    missed: Vec<String>,
}

impl MadeSecrets {
    /// Writes down that the sink is given a secret.
    pub fn under_way(&self, name: &SecretName) {
        self.refused(name, Arc::new(SinkError::UnderWay));
    }

    /// Writes down that the sink has it.
    pub fn delivered(&self, name: &SecretName) {
        let mut made = self.lock();
        made.kept.retain(|(other, _)| other != name);
        made.missed.retain(|subject| *subject != name.owner());
    }

    /// Writes down that the sink did not take it.
    pub fn refused(&self, name: &SecretName, source: Arc<SinkError>) {
        let mut made = self.lock();
        made.missed.retain(|subject| *subject != name.owner());
        match made.kept.iter_mut().find(|(other, _)| other == name) {
            Some(kept) => kept.1 = source,
            None => made.kept.push((name.clone(), source)),
        }
    }

    /// Writes down that a secret may have been made, and was not in what came of the answer.
    pub fn missed(&self, subject: &str) {
        self.lock().missed.push(subject.to_owned());
    }

    /// Writes down that the task ended in a panic: the sink's, if the sink was at it.
    pub fn panicked(&self, subject: &str) {
        let mut made = self.lock();
        let mut under_way =
            made.kept.iter_mut().filter(|(_, source)| matches!(**source, SinkError::UnderWay)).peekable();
        if under_way.peek().is_none() {
            drop(under_way);
            made.missed.push(subject.to_owned());
            return;
        }
        under_way.for_each(|(_, source)| *source = Arc::new(SinkError::Engine("the sink panicked")));
    }

    /// Returns what the sink does not have, as far as is known.
    pub fn undelivered(&self) -> Option<SecretUndelivered> {
        let made = self.lock();
        let (_, source) = made.kept.first()?;
        let names = made.kept.iter().map(|(name, _)| name.clone()).collect();
        Some(SecretUndelivered { names, source: Arc::clone(source) })
    }

    /// Returns what a secret belongs to that may be in force and that nobody has.
    pub fn lost(&self) -> Option<String> {
        self.lock().missed.last().cloned()
    }

    fn lock(&self) -> MutexGuard<'_, MadeState> {
        // Nothing in here is left half-written by a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(id: &str) -> SecretName {
        SecretName::new("acme.eu.auth0.com", &["clients"], id, &["client_secret"])
    }

    #[test]
    fn a_secret_is_told_of_until_the_sink_has_it() {
        let made = MadeSecrets::default();
        made.under_way(&name("a"));
        assert!(matches!(*made.undelivered().unwrap().source, SinkError::UnderWay));
        made.refused(&name("a"), Arc::new(SinkError::Engine("full")));
        made.under_way(&name("b"));
        assert_eq!(made.undelivered().unwrap().names, [name("a"), name("b")]);
        made.delivered(&name("b"));
        let told = made.undelivered().unwrap();
        assert_eq!((told.names, told.source.to_string().as_str()), (vec![name("a")], "full"));
        made.delivered(&name("a"));
        assert!(made.undelivered().is_none());
    }

    #[test]
    fn a_secret_that_nobody_has_is_told_of_until_a_newer_one_is_known() {
        let made = MadeSecrets::default();
        assert_eq!(made.lost(), None);
        made.missed("clients/a");
        assert_eq!(made.lost().unwrap(), "clients/a");
        made.delivered(&name("b"));
        assert!(made.lost().is_some());
        made.delivered(&name("a"));
        assert_eq!(made.lost(), None);
        made.missed("clients");
        made.delivered(&name("a"));
        assert_eq!(made.lost().unwrap(), "clients", "the new one's id is not known");
    }

    #[test]
    fn a_panic_is_the_sink_s_where_the_sink_was_at_it() {
        let made = MadeSecrets::default();
        made.under_way(&name("a"));
        made.panicked("clients/a");
        assert_eq!(made.undelivered().unwrap().source.to_string(), "the sink panicked");
        assert_eq!(made.lost(), None);
        made.delivered(&name("a"));
        made.panicked("clients/a");
        assert!(made.undelivered().is_none() && made.lost().is_some());
    }
}
