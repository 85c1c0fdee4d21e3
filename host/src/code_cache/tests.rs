use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::SystemTime,
};

use wasmtime::Config;

use super::*;

/// A folder that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("auth0-code-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn folder(&self) -> PathBuf {
        self.0.join("nested/code")
    }

    fn cache(&self) -> CodeCache {
        CodeCache::Folder(self.folder())
    }

    fn files(&self) -> Vec<PathBuf> {
        fs::read_dir(self.folder()).unwrap().map(|file| file.unwrap().path()).collect()
    }

    /// The one entry.
    fn entry(&self) -> PathBuf {
        let files = self.files();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A small component, so that compiling takes no time.
fn small() -> Vec<u8> {
    component("(component (core module $m (func (export \"f\"))) (core instance (instantiate $m)))")
}

fn load_with(cache: &CodeCache, engine: &Engine, bytes: &[u8]) -> CodeReport {
    let digest = crate::component::digest(bytes);
    cache.component(engine, bytes, digest.as_ref(), Compile::Here, |_| Ok(())).unwrap().1
}

fn load_small(cache: &CodeCache) -> CodeReport {
    load_with(cache, &Engine::default(), &small())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_second_start_does_not_compile() {
    let scratch = Scratch::new();
    let first = load_small(&scratch.cache());
    assert_eq!((first.origin, first.problem), (CodeOrigin::Compiled, None));
    let second = load_small(&scratch.cache());
    assert_eq!((second.origin, second.problem), (CodeOrigin::Cached, None));
    assert_eq!(second.folder, Some(scratch.folder()));
}

#[test]
fn what_nobody_trusts_is_loaded_and_never_compiled() {
    let scratch = Scratch::new();
    let (engine, bytes) = (Engine::default(), small());
    let digest = crate::component::digest(&bytes);
    let load =
        |cache: &CodeCache| cache.component(&engine, &bytes, digest.as_ref(), Compile::Never, |_| Ok(()));
    for cache in [scratch.cache(), CodeCache::Off] {
        assert!(matches!(load(&cache), Err(Error::NotPrecompiled { problem: None })));
    }
    assert!(matches!(CodeCache::Off.keep(&engine, &bytes, digest.as_ref()), Err(Error::CodeCache { .. })));
    for origin in [CodeOrigin::Compiled, CodeOrigin::Cached] {
        assert_eq!(scratch.cache().keep(&engine, &bytes, digest.as_ref()).unwrap().origin, origin);
    }
    assert_eq!(load(&scratch.cache()).unwrap().1.origin, CodeOrigin::Cached);
    let damaged = fs::read(scratch.entry()).unwrap();
    fs::write(scratch.entry(), &damaged[..damaged.len() - 1]).unwrap();
    let Err(Error::NotPrecompiled { problem: Some(problem) }) = load(&scratch.cache()) else {
        panic!("it was loaded")
    };
    assert!(problem.contains("is damaged"), "{problem}");
}

#[test]
fn folder_and_entries_are_this_user_s_alone() {
    let scratch = Scratch::new();
    load_small(&scratch.cache());
    assert_eq!((mode(&scratch.folder()), mode(&scratch.entry())), (0o700, 0o600));
}

#[test]
fn a_damaged_or_foreign_entry_is_replaced_by_a_good_one() {
    let scratch = Scratch::new();
    load_small(&scratch.cache());
    let good = fs::read(scratch.entry()).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let foreign = {
        let other = Scratch::new();
        load_with(&other.cache(), &Engine::default(), &component("(component)"));
        fs::read(other.entry()).unwrap()
    };
    for (what, bad) in [
        ("empty", Vec::new()),
        ("cut off", good[..good.len() / 2].to_vec()),
        ("one bit changed", flipped),
        ("another component's", foreign),
        ("bare machine code", good[48..].to_vec()),
        ("text", b"hello".to_vec()),
    ] {
        fs::write(scratch.entry(), bad).unwrap();
        let report = load_small(&scratch.cache());
        assert_eq!(report.origin, CodeOrigin::Compiled, "{what}");
        assert!(report.problem.unwrap().contains("is replaced"), "{what}");
        assert_eq!(fs::read(scratch.entry()).unwrap(), good, "{what}");
        assert_eq!(load_small(&scratch.cache()).origin, CodeOrigin::Cached, "{what}");
    }
}

#[test]
fn what_others_may_use_is_neither_read_nor_written() {
    let scratch = Scratch::new();
    load_small(&scratch.cache());
    let entry = scratch.entry();
    for bad in [0o701, 0o710, 0o750, 0o755, 0o770, 0o777, 0o720] {
        set_mode(&scratch.folder(), bad);
        let report = load_small(&scratch.cache());
        assert_eq!(report.origin, CodeOrigin::Compiled, "{bad:o}");
        assert!(report.problem.unwrap().contains("open to others"), "{bad:o}");
    }
    set_mode(&scratch.folder(), 0o700);
    for bad in [0o602, 0o620, 0o644, 0o666] {
        set_mode(&entry, bad);
        let report = load_small(&scratch.cache());
        assert_eq!(report.origin, CodeOrigin::Compiled, "{bad:o}");
        assert!(report.problem.unwrap().contains("open to others"), "{bad:o}");
        assert_eq!(mode(&entry), 0o600, "a new file took its place");
    }
}

#[test]
fn other_settings_of_the_engine_have_an_entry_of_their_own() {
    let scratch = Scratch::new();
    load_small(&scratch.cache());
    let mut config = Config::new();
    config.epoch_interruption(true);
    let other = Engine::new(&config).unwrap();
    assert_eq!(load_with(&scratch.cache(), &other, &small()).origin, CodeOrigin::Compiled);
    assert_eq!(scratch.files().len(), 2);
    assert_eq!(load_with(&scratch.cache(), &other, &small()).origin, CodeOrigin::Cached);
    assert_eq!(load_small(&scratch.cache()).origin, CodeOrigin::Cached);
}

#[test]
fn a_place_that_cannot_be_used_costs_time_and_nothing_else() {
    let scratch = Scratch::new();
    let file = scratch.0.join("file");
    fs::write(&file, "").unwrap();
    let (link, target) = (scratch.0.join("link"), scratch.0.join("target"));
    fs::create_dir(&target).unwrap();
    set_mode(&target, 0o700);
    symlink(&target, &link).unwrap();
    // Nobody can make a folder in these, root included.
    for place in [file.join("under"), file.clone(), PathBuf::from("/proc/no/such/place"), link] {
        let report = load_small(&CodeCache::Folder(place.clone()));
        assert_eq!(report.origin, CodeOrigin::Compiled, "{}", place.display());
        assert!(report.problem.is_some(), "{}", place.display());
    }
    let off = load_small(&CodeCache::Off);
    assert_eq!((off.origin, off.folder, off.problem), (CodeOrigin::Compiled, None, None));
}

#[test]
fn starts_at_the_same_time_all_work_and_leave_one_whole_entry() {
    let scratch = Scratch::new();
    let cache = scratch.cache();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let report = load_small(&cache);
                    assert_eq!(report.problem, None);
                }
            });
        }
    });
    scratch.entry();
    assert_eq!(load_small(&cache).origin, CodeOrigin::Cached);
}

#[test]
fn old_entries_and_what_dead_processes_left_are_removed() {
    let scratch = Scratch::new();
    load_small(&scratch.cache());
    let oldest = scratch.entry();
    fs::File::open(&oldest).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let abandoned = scratch.folder().join("x.cwasm.1.0.tmp");
    let unfinished = scratch.folder().join("x.cwasm.1.1.tmp");
    for file in [&abandoned, &unfinished] {
        fs::write(file, "x").unwrap();
    }
    fs::File::open(&abandoned).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    for number in 0..10 {
        let bytes = component(&format!("(component (core module (func (export \"f{number}\"))))"));
        load_with(&scratch.cache(), &Engine::default(), &bytes);
    }
    let entries = scratch.files().into_iter().filter(|file| file.extension().unwrap() == "cwasm").count();
    assert_eq!(entries, 8);
    assert!(!oldest.exists() && !abandoned.exists() && unfinished.exists());
}
