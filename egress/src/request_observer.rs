//! What an engine hears of a call's requests while the call runs.
//!
//! The outcome lists them when the call has ended. A person who waits for a long job wants to see it move, and an
//! engine that shows a step's progress has nothing else to show.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::call::RequestRecord;

/// Hears of each request of a call: when the component asks for it, and when it has ended.
///
/// It is called on the call's own thread, and sometimes from a destructor: it must not block and must not wait. A panic
/// in it is caught and changes nothing.
///
/// ```
/// use std::sync::Mutex;
///
/// use auth0_egress::{call::RequestRecord, request_observer::RequestObserver};
///
/// #[derive(Default)]
/// struct Progress(Mutex<Vec<String>>);
///
/// impl RequestObserver for Progress {
///     fn begun(&self, request: &RequestRecord) {
///         self.0.lock().unwrap().push(format!("{} {} …", request.method, request.path));
///     }
///
///     fn ended(&self, request: &RequestRecord) {
///         self.0.lock().unwrap().push(format!("{} {} {:?}", request.method, request.path, request.status));
///     }
/// }
/// ```
pub trait RequestObserver: Send + Sync {
    /// Hears of a request that is about to be held to the rules. Nothing was sent yet. By default nothing is done.
    fn begun(&self, request: &RequestRecord) {
        let _ = request;
    }

    /// Hears of a request that has ended: answered to the end of its body, refused, failed or broken off.
    fn ended(&self, request: &RequestRecord);
}

impl<T: RequestObserver + ?Sized> RequestObserver for Arc<T> {
    fn begun(&self, request: &RequestRecord) {
        (**self).begun(request);
    }

    fn ended(&self, request: &RequestRecord) {
        (**self).ended(request);
    }
}

/// An observer as a call holds it; none by default.
#[derive(Clone, Default)]
pub(crate) struct Observer(Option<Arc<dyn RequestObserver>>);

impl Observer {
    pub(crate) fn new(observer: impl RequestObserver + 'static) -> Self {
        Self(Some(Arc::new(observer)))
    }

    /// Reports a request; the record is made only where there is an observer.
    pub(crate) fn begun(&self, record: impl FnOnce() -> RequestRecord) {
        self.notify(record, |observer, record| observer.begun(record));
    }

    /// As [`Observer::begun`], of its end.
    pub(crate) fn ended(&self, record: impl FnOnce() -> RequestRecord) {
        self.notify(record, |observer, record| observer.ended(record));
    }

    fn notify(
        &self,
        record: impl FnOnce() -> RequestRecord,
        call: impl FnOnce(&dyn RequestObserver, &RequestRecord),
    ) {
        if let Some(observer) = &self.0 {
            let record = record();
            // An engine's mistake must not end the call, nor the process from a destructor.
            let _ = catch_unwind(AssertUnwindSafe(|| call(&**observer, &record)));
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An engine's type may print what it holds.
        f.write_str(if self.0.is_some() { "Observer(…)" } else { "Observer" })
    }
}
