//! No image of this process on a disk: it holds tokens and keys.
//!
//! A limit of 0 on the size of a core file is not enough on Linux: where the kernel hands dumps to a program
//! (`core_pattern` with a `|`, as systemd and Ubuntu have it), the limit does not count. A process that is not dumpable
//! has no dump there either, and no other process of the user can read its memory.

/// Switches dumps off where the system allows it. What it does not allow is no reason not to run.
pub(crate) fn off() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    #[test]
    fn a_process_that_holds_secrets_leaves_no_core_dump() {
        super::off();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
