//! Audit records in a file, one line of JSON each.
//!
//! A thread of its own writes, so that a slow disk holds no call up. Between the two lies a queue that is bounded in
//! bytes: where the disk does not keep up, or is full, records wait there, and beyond it they are dropped, counted, and
//! told of in the file as soon as it can be written again. An operator for whom that is not enough lets calls be refused
//! instead ([`AuditFile::refuse_calls_without_it`]).
//!
//! Several processes may append to one file: each record is one write to a file that is open for appending. A line that
//! a crashed process or a full disk left unfinished is ended before the next record, so that it spoils none but itself.

use std::{
    borrow::Cow,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, Thread},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    AuditRecord, AuditReservation, AuditSink, AuditUnavailable,
    room::{Room, longest_file},
};

/// Bytes that may wait for the disk: some thirty thousand records of one request.
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;
/// The longest line, and so the room on the disk that each call takes. A hundred requests of the usual paths have half of
/// it. Of longer ones some requests are counted instead: a line must in any case find room, or the calls that a component
/// spoils on purpose would be those without a record.
const LONGEST_LINE: usize = 64 * 1024;
/// How often a disk that refused is tried again. A person frees space in minutes; a second loses nothing.
const RETRY: Duration = Duration::from_secs(1);
/// How long a process that ends waits for its last records. A disk that takes longer is not going to answer; a machine that
/// is busy with tests may stand still for as long, and is going to.
const FLUSH_TIME: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 2 });

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the audit file {path} could not be opened for appending", path = path.display())]
#[non_exhaustive]
pub struct AuditError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Appends audit records to a file. Dropping it waits up to two seconds for the records that it has taken.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use auth0_host::{AuditFile, Settings};
///
/// // One file for all tenants. Without the last call, what a full disk refuses is counted (`lost`) and calls go on.
/// let audit = Arc::new(AuditFile::open("/var/log/engine/auth0.ndjson")?.refuse_calls_without_it());
/// let settings = Settings::new("acme.eu.auth0.com".parse()?).audit(audit);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AuditFile {
    lines: Option<Sender<Vec<u8>>>,
    state: Arc<State>,
    /// Never gets a message: its other end is dropped when the writer ends.
    ended: Mutex<Receiver<()>>,
    writer: Thread,
    refuse_calls: bool,
    /// Taken of the disk, where calls are refused without it and the file is one that can be full.
    room: Option<Mutex<Room>>,
}

#[derive(Debug)]
struct State {
    /// Calls whose records will come.
    promised: AtomicUsize,
    waiting_bytes: AtomicUsize,
    taken: AtomicU64,
    /// Taken and written, or given up.
    settled: watch::Sender<u64>,
    /// Dropped since the file last told of it.
    dropped: AtomicU64,
    /// Dropped since the beginning.
    lost: AtomicU64,
    /// What the disk said last, as long as it refuses.
    problem: Mutex<Option<String>>,
    ending: AtomicBool,
}

impl AuditFile {
    /// Opens a file for appending, and makes it (mode 0600) where there is none. A file that exists keeps its mode.
    ///
    /// # Errors
    ///
    /// [`AuditError`] where the file cannot be opened.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, AuditError> {
        let path = path.into();
        let failed = |source| AuditError { path: path.clone(), source };
        let file = open(&path).map_err(failed)?;
        let (sender, lines) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let room = Room::of(&path).map_err(failed)?.map(Mutex::new);
        let state = Arc::new(State {
            promised: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            settled: watch::Sender::new(0),
            dropped: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            problem: Mutex::default(),
            ending: AtomicBool::new(false),
        });
        let writer = Writer { path: path.clone(), file, state: Arc::clone(&state), _end: end };
        let thread = thread::Builder::new()
            .name("auth0-audit".to_owned())
            .spawn(move || writer.run(&lines))
            .map_err(failed)?;
        Ok(Self {
            lines: Some(sender),
            state,
            ended: Mutex::new(ended),
            writer: thread.thread().clone(),
            refuse_calls: false,
            room,
        })
    }

    /// Lets calls be refused as long as the file cannot be written, too much waits for it, or the disk has no room for
    /// their records, which is taken before each call. Without it they go on and the file tells, when it can be written
    /// again, how many records are missing.
    #[must_use]
    pub fn refuse_calls_without_it(mut self) -> Self {
        self.refuse_calls = true;
        self
    }

    /// Counts the records that were dropped so far, since the disk did not take them.
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }
}

impl AuditSink for AuditFile {
    fn record(&self, record: &AuditRecord) {
        let line = line(record);
        let bytes = line.len();
        let waiting = self.state.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = waiting + bytes <= MOST_WAITING_BYTES;
        if room && self.lines.as_ref().is_some_and(|lines| lines.send(line).is_ok()) {
            self.state.taken.fetch_add(1, Ordering::Release);
        } else {
            self.state.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.state.drop_one();
        }
    }

    fn ready(&self) -> Result<(), AuditUnavailable> {
        if !self.refuse_calls {
            return Ok(());
        }
        if let Some(reason) = self.state.problem() {
            return Err(AuditUnavailable { reason });
        }
        if self.state.waiting_bytes.load(Ordering::Relaxed) >= MOST_WAITING_BYTES / 2 {
            return Err(AuditUnavailable { reason: "the disk does not keep up".to_owned() });
        }
        Ok(())
    }

    fn reserve(&self) -> Result<AuditReservation, AuditUnavailable> {
        self.ready()?;
        let Some(room) = self.room.as_ref().filter(|_| self.refuse_calls) else {
            return Ok(AuditReservation::none());
        };
        let mut room = room.lock().unwrap_or_else(PoisonError::into_inner);
        let promise = Promise::of(&self.state);
        let bytes = self.state.promised.load(Ordering::Relaxed).saturating_mul(LONGEST_LINE);
        let bytes = bytes.saturating_add(self.state.waiting_bytes.load(Ordering::Relaxed));
        // Where there is no room, dropping the promise takes it back.
        room.reserve(bytes as u64).map_err(|error| AuditUnavailable { reason: room.reason(&error) })?;
        Ok(AuditReservation::new(promise))
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let target = self.state.taken.load(Ordering::Acquire);
        let mut settled = self.state.settled.subscribe();
        Box::pin(async move {
            let _ = tokio::time::timeout(FLUSH_TIME, settled.wait_for(|settled| *settled >= target)).await;
        })
    }
}

impl Drop for AuditFile {
    fn drop(&mut self) {
        self.state.ending.store(true, Ordering::Release);
        self.lines = None;
        self.writer.unpark();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(FLUSH_TIME);
    }
}

/// A record that will come.
struct Promise(Arc<State>);

impl Promise {
    fn of(state: &Arc<State>) -> Self {
        state.promised.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(state))
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.promised.fetch_sub(1, Ordering::Relaxed);
    }
}

impl State {
    fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    fn drop_one(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        self.lost.fetch_add(1, Ordering::Relaxed);
    }
}

/// The thread that writes.
struct Writer {
    path: PathBuf,
    file: File,
    state: Arc<State>,
    _end: Sender<()>,
}

impl Writer {
    fn run(mut self, lines: &Receiver<Vec<u8>>) {
        for line in lines {
            if !self.keep(&line) {
                self.state.drop_one();
            }
            self.state.waiting_bytes.fetch_sub(line.len(), Ordering::Relaxed);
            self.state.settled.send_modify(|settled| *settled += 1);
        }
    }

    /// Writes a line, trying again until it is written or the process ends.
    fn keep(&mut self, line: &[u8]) -> bool {
        loop {
            let written =
                self.reopen_where_moved().and_then(|()| self.tell_of_loss()).and_then(|()| self.append(line));
            match written {
                Ok(()) => {
                    if self.state.problem().is_some() {
                        self.state.set_problem(None);
                    }
                    return true;
                }
                Err(error) => {
                    if self.state.problem().is_none() {
                        tracing::error!(target: "auth0_host", path = %self.path.display(), %error, "audit records cannot be written");
                    }
                    self.state.set_problem(Some(format!("{}: {error}", self.path.display())));
                }
            }
            if self.state.ending.load(Ordering::Acquire) {
                return false;
            }
            thread::park_timeout(RETRY);
        }
    }

    /// Follows a rotation: where the path names another file by now, or none, that one is written from here on.
    fn reopen_where_moved(&mut self) -> io::Result<()> {
        if is_moved(&self.file, &self.path)? {
            self.file = open(&self.path)?;
        }
        Ok(())
    }

    fn tell_of_loss(&mut self) -> io::Result<()> {
        let dropped = self.state.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            let time = format!("{:.3}", Timestamp::now());
            let line = serde_json::json!({"event": "lost", "time": time, "records": dropped});
            self.append(format!("{line}\n").as_bytes())?;
            self.state.dropped.fetch_sub(dropped, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Appends with a single write, on a line of its own.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let end = self.file.metadata()?.len().saturating_add(line.len() as u64 + 1);
        if longest_file().is_some_and(|longest| end > longest) {
            // The system would end the process.
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "it is as long as this process may write a file (ulimit -f)",
            ));
        }
        let written = if self.ends_in_the_middle_of_a_line() {
            let ended: Vec<u8> = std::iter::once(b'\n').chain(line.iter().copied()).collect();
            self.file.write(&ended)? == ended.len()
        } else {
            self.file.write(line)? == line.len()
        };
        if written { Ok(()) } else { Err(io::Error::new(io::ErrorKind::WriteZero, "a record was cut off")) }
    }

    /// Looks at the last byte. What cannot be read – a pipe, a terminal – has no last line to spoil.
    fn ends_in_the_middle_of_a_line(&mut self) -> bool {
        let mut last = [b'\n'];
        let read = self.file.seek(SeekFrom::End(-1)).and_then(|_| self.file.read_exact(&mut last));
        read.is_ok() && last != [b'\n']
    }
}

/// Writes a record as a line. Where it is too long, its last requests are counted instead of written out.
fn line(record: &AuditRecord) -> Vec<u8> {
    let mut text = record.to_json();
    let mut record = Cow::Borrowed(record);
    while text.len() >= LONGEST_LINE && !record.requests.is_empty() {
        let record = record.to_mut();
        let kept = record.requests.len() / 2;
        record.requests_omitted += record.requests.len() - kept;
        record.requests.truncate(kept);
        text = record.to_json();
    }
    text.push('\n');
    text.into_bytes()
}

/// Whether a path names another file by now, or none.
#[cfg(unix)]
pub(super) fn is_moved(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let ours = file.metadata()?;
    let named = std::fs::metadata(path);
    Ok(!named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())))
}

#[cfg(not(unix))]
pub(super) fn is_moved(_: &File, _: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Opens for appending and for looking at the end; a file that may only be written is taken as it is.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.clone().read(true).open(path).or_else(|_| options.open(path))
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Instant};

    use super::*;
    use crate::{
        audit::{AuditOutcome, Decision},
        call::RequestLog,
    };

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("auth0-audit-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self) -> PathBuf {
            self.0.join("audit.ndjson")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn record(call: &str) -> AuditRecord {
        AuditRecord {
            time: std::time::SystemTime::UNIX_EPOCH,
            call: call.to_owned(),
            caller: None,
            domain: "acme.eu.auth0.com".to_owned(),
            tenant: None,
            component: "sha256:00".to_owned(),
            action: "get-user".to_owned(),
            decision: Decision::Allowed,
            rule: None,
            outcome: AuditOutcome::Done,
            elapsed: Duration::from_millis(1),
            requests: Vec::new(),
            requests_omitted: 0,
            secrets_undelivered: 0,
        }
    }

    fn calls(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        lines.map(|line| line["call"].as_str().unwrap_or("-").to_owned()).collect()
    }

    #[tokio::test]
    async fn what_was_taken_is_in_the_file_after_a_flush_and_after_the_end() {
        let folder = Folder::new("flush");
        let file = AuditFile::open(folder.file()).unwrap();
        file.record(&record("a"));
        file.flush().await;
        assert_eq!(calls(&folder.file()), ["a"]);
        file.record(&record("b"));
        drop(file);
        assert_eq!(calls(&folder.file()), ["a", "b"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_its_owner_s_alone_and_one_that_is_there_is_continued() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = Folder::new("mode");
        let append = |call| AuditFile::open(folder.file()).unwrap().record(&record(call));
        append("a");
        assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
        append("b");
        assert_eq!(calls(&folder.file()), ["a", "b"]);
    }

    #[test]
    fn a_line_that_another_process_left_unfinished_spoils_no_record() {
        let folder = Folder::new("partial");
        fs::write(folder.file(), "{\"call\": \"crash").unwrap();
        let file = AuditFile::open(folder.file()).unwrap();
        file.record(&record("a"));
        flush_and_wait(&file);
        OpenOptions::new().append(true).open(folder.file()).unwrap().write_all(b"{\"another").unwrap();
        file.record(&record("b"));
        drop(file);
        assert_eq!(calls(&folder.file()), ["a", "b"]);
        assert_eq!(fs::read_to_string(folder.file()).unwrap().lines().count(), 4);
    }

    fn flush_and_wait(file: &AuditFile) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(file.flush());
    }

    #[test]
    fn several_writers_of_one_file_leave_whole_lines() {
        const EACH: usize = 200;
        let folder = Folder::new("several");
        thread::scope(|scope| {
            for writer in 0..4 {
                let path = folder.file();
                scope.spawn(move || {
                    let file = AuditFile::open(path).unwrap();
                    (0..EACH).for_each(|number| file.record(&record(&format!("{writer}-{number}"))));
                });
            }
        });
        let mut found = calls(&folder.file());
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), 4 * EACH);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_was_rotated_away_is_made_anew() {
        let folder = Folder::new("rotated");
        let file = AuditFile::open(folder.file()).unwrap();
        file.record(&record("a"));
        file.flush().await;
        fs::rename(folder.file(), folder.0.join("audit.1")).unwrap();
        file.record(&record("b"));
        file.flush().await;
        assert_eq!(
            (calls(&folder.0.join("audit.1")), calls(&folder.file())),
            (vec!["a".into()], vec!["b".into()])
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_is_full_holds_up_nobody_and_is_told() {
        let file = AuditFile::open("/dev/full").unwrap().refuse_calls_without_it();
        assert_eq!(file.ready(), Ok(()));
        file.record(&record("a"));
        let begun = std::time::Instant::now();
        while file.state.problem().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the disk does not refuse");
            thread::yield_now();
        }
        let error = file.ready().unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("space"), "{error}");
        let state = Arc::clone(&file.state);
        drop(file);
        assert_eq!(state.lost.load(Ordering::Relaxed), 1);
    }

    #[cfg(unix)]
    #[test]
    fn each_call_has_room_for_its_record_until_that_is_written() {
        let folder = Folder::new("room");
        let file = AuditFile::open(folder.file()).unwrap().refuse_calls_without_it();
        let rooms: Vec<AuditReservation> = (0..20).map(|_| file.reserve().unwrap()).collect();
        assert_eq!(file.state.promised.load(Ordering::Relaxed), 20);
        drop(rooms);
        assert_eq!(file.state.promised.load(Ordering::Relaxed), 0);
        assert!(file.reserve().is_ok());
    }

    #[test]
    fn what_does_not_fit_into_the_queue_is_counted_and_told_in_the_file() {
        let folder = Folder::new("queue");
        let file = AuditFile::open(folder.file()).unwrap();
        file.state.waiting_bytes.store(MOST_WAITING_BYTES, Ordering::Relaxed);
        file.record(&record("lost"));
        file.state.waiting_bytes.store(0, Ordering::Relaxed);
        file.record(&record("kept"));
        assert_eq!(file.lost(), 1);
        drop(file);
        let text = fs::read_to_string(folder.file()).unwrap();
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&first["event"], &first["records"]), (&"lost".into(), &1.into()));
        assert_eq!(calls(&folder.file()), ["-", "kept"]);
    }

    #[test]
    fn a_record_out_of_all_proportion_is_written_with_fewer_of_its_requests() {
        let folder = Folder::new("long");
        let log = RequestLog::default();
        log.open(&http::Method::GET, &"https://acme.eu.auth0.com/api/v2/users".parse().unwrap());
        let (mut requests, _) = log.audit(Instant::now(), 1);
        let short = requests.remove(0);
        let mut request = short.clone();
        request.method = "X".repeat(20 << 20);
        let file = AuditFile::open(folder.file()).unwrap();
        file.record(&AuditRecord { requests: vec![short, request], requests_omitted: 5, ..record("long") });
        assert_eq!(file.lost(), 0);
        drop(file);
        let line: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(folder.file()).unwrap()).unwrap();
        assert_eq!((&line["call"], &line["requests_omitted"]), (&"long".into(), &6.into()));
        assert_eq!(line["requests"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn a_path_that_cannot_be_opened_is_an_error_that_names_it() {
        let error = AuditFile::open("/no/such/folder/audit").unwrap_err().to_string();
        assert!(error.contains("/no/such/folder/audit"), "{error}");
    }
}
