//! What one call may use.
//!
//! Each limit has a default that normal use stays well below, so that a host need not think of them;
//! what a call goes past ends that call and nothing else. Two clocks are kept, since each is blind to what the other sees:
//! a guest that computes does not yield to a timer, and a guest that waits uses no processor.

use std::time::Duration;

use auth0_egress::limits::RequestLimits;

use crate::error::SettingsError;

/// Linear memory that an instance can have at most: the size of the pool's slots. The component reads answers of at most
/// 8 MB and JSON of at most 500,000 elements; the worst of both takes below 100 MB. The pool reserves addresses for it,
/// not memory.
pub(crate) const MOST_MEMORY_BYTES: usize = 128 * 1024 * 1024;

/// What one call may use, and how many calls a tenant may have at once. In builder style, from defaults that are
/// on.
///
/// ```
/// use std::time::Duration;
///
/// use auth0_host::Limits;
///
/// // A fast workflow: half a second of processor time, 50 requests, four calls at once that wait for at most two seconds.
/// let limits = Limits::new()
///     .cpu(Duration::from_millis(500))
///     .requests(50)
///     .concurrent_calls(4)
///     .queue_timeout(Duration::from_secs(2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) cpu: Duration,
    pub(crate) memory_bytes: usize,
    pub(crate) table_elements: usize,
    pub(crate) hostcall_bytes: usize,
    pub(crate) handles: usize,
    pub(crate) requests: u64,
    pub(crate) request_body_bytes: usize,
    pub(crate) response_body_bytes: u64,
    pub(crate) header_bytes: usize,
    pub(crate) concurrent_calls: usize,
    pub(crate) queue_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // The worst template of 11,171 hostile ones renders for about a second; an ordinary call computes for
            // some milliseconds.
            cpu: Duration::from_secs(5),
            memory_bytes: MOST_MEMORY_BYTES,
            // The connector has some 300 functions in its table, and grows it never.
            table_elements: 10_000,
            // A result of the largest answer, escaped once more.
            hostcall_bytes: 32 * 1024 * 1024,
            // The connector holds about twenty at once.
            handles: 256,
            requests: RequestLimits::default().requests,
            request_body_bytes: RequestLimits::default().request_body_bytes,
            response_body_bytes: RequestLimits::default().response_body_bytes,
            // Auth0's answers have about 2 KB of headers; nginx allows a proxy 32 KB.
            header_bytes: 32 * 1024,
            // A tenant that answers in 50 ms then serves 1,280 calls a second, which only private clouds allow.
            concurrent_calls: 64,
            // As long as a call itself may take by default.
            queue_timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the processor time of a call; 5 s where absent. It is counted in ticks of 10 ms, and each wait that a call
    /// returns from may count as one.
    #[must_use]
    pub fn cpu(mut self, cpu: Duration) -> Self {
        self.cpu = cpu;
        self
    }

    /// Sets the linear memory of an instance in bytes; 128 MiB where absent, which is the most.
    #[must_use]
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Sets the elements of each of an instance's two tables; 10,000 where absent.
    #[must_use]
    pub fn table_elements(mut self, elements: usize) -> Self {
        self.table_elements = elements;
        self
    }

    /// Sets how many bytes an instance may hand to the host in one call of a function ("host-call fuel"), its result
    /// included; 32 MiB where absent.
    #[must_use]
    pub fn hostcall_bytes(mut self, bytes: usize) -> Self {
        self.hostcall_bytes = bytes;
        self
    }

    /// Sets the handles (requests, headers, streams, …) that an instance may hold at once; 256 where absent.
    #[must_use]
    pub fn handles(mut self, handles: usize) -> Self {
        self.handles = handles;
        self
    }

    /// Sets the requests of a call, those that are refused included; 1,000 where absent.
    #[must_use]
    pub fn requests(mut self, requests: u64) -> Self {
        self.requests = requests;
        self
    }

    /// Sets the bytes of one request's body; 1,100,000 where absent.
    #[must_use]
    pub fn request_body_bytes(mut self, bytes: usize) -> Self {
        self.request_body_bytes = bytes;
        self
    }

    /// Sets the bytes of one answer's body; 10,000,000 where absent.
    #[must_use]
    pub fn response_body_bytes(mut self, bytes: u64) -> Self {
        self.response_body_bytes = bytes;
        self
    }

    /// Sets the bytes of the headers of one request and one answer; 32 KiB where absent.
    #[must_use]
    pub fn header_bytes(mut self, bytes: usize) -> Self {
        self.header_bytes = bytes;
        self
    }

    /// Sets the calls that a tenant may have at once; 64 where absent. More of them wait.
    #[must_use]
    pub fn concurrent_calls(mut self, calls: usize) -> Self {
        self.concurrent_calls = calls;
        self
    }

    /// Sets how long a call may wait for its turn, within its deadline; 30 s where absent. Then it ends with
    /// [`Error::Busy`](crate::Error::Busy).
    #[must_use]
    pub fn queue_timeout(mut self, wait: Duration) -> Self {
        self.queue_timeout = wait;
        self
    }

    /// Refuses limits under which nothing could run.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let bounds = |name, given: u64, least: u64, most: u64| {
            if (least..=most).contains(&given) {
                Ok(())
            } else {
                Err(SettingsError::Bounds { name, given, least, most })
            }
        };
        let wide = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        let most_memory = wide(MOST_MEMORY_BYTES);
        let cpu_ms = u64::try_from(self.cpu.as_millis()).unwrap_or(u64::MAX);
        bounds("the limit of processor time in milliseconds", cpu_ms, 1, 3_600_000)?;
        bounds("the limit of memory in bytes", wide(self.memory_bytes), 1 << 20, most_memory)?;
        bounds("the limit of handles", wide(self.handles), 1, 1_000_000)?;
        bounds("the limit of requests", self.requests, 1, u64::MAX)?;
        bounds("the limit of header bytes", wide(self.header_bytes), 8192, 1 << 20)?;
        bounds("the limit of concurrent calls", wide(self.concurrent_calls), 1, 1_000_000)
    }
}

/// A limit that a call went past.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::cpu`].
    #[error("processor time (limit `cpu`)")]
    Cpu,
    /// [`Limits::memory_bytes`].
    #[error("memory (limit `memory_bytes`)")]
    Memory,
    /// [`Limits::table_elements`].
    #[error("table elements (limit `table_elements`)")]
    Table,
    /// [`Limits::handles`].
    #[error("handles (limit `handles`)")]
    Handles,
    /// The stack of WebAssembly: 512 KiB, wasmtime's default.
    #[error("stack")]
    Stack,
}

impl From<&Limits> for RequestLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            requests: limits.requests,
            request_body_bytes: limits.request_body_bytes,
            response_body_bytes: limits.response_body_bytes,
            cpu: limits.cpu,
        }
    }
}
