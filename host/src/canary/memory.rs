//! Memory of guests that is kept for inspection when its instance is gone.

use std::{
    mem,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
};

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

/// Hands out memories, and keeps what was in them at the end.
#[derive(Clone, Default)]
pub(super) struct Keeper(Arc<Mutex<Vec<Vec<u8>>>>);

impl Keeper {
    /// Takes the memories of the instances that have ended.
    pub(super) fn take(&self) -> Vec<Vec<u8>> {
        mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Bytes that the guest's code writes through a pointer: of a type that allows it.
struct Memory {
    bytes: Vec<AtomicU8>,
    keeper: Keeper,
}

fn zeroes(count: usize) -> impl Iterator<Item = AtomicU8> {
    std::iter::repeat_with(AtomicU8::default).take(count)
}

impl Drop for Memory {
    fn drop(&mut self) {
        let bytes = self.bytes.iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
        self.keeper.0.lock().unwrap().push(bytes);
    }
}

#[expect(
    unsafe_code,
    reason = "a trait of wasmtime's; the vector is as long as it says, and stays where it is"
)]
// SAFETY: `as_ptr` points to `byte_size` bytes that live as long as `self`. They need no guard, since the engine of the
// test is told that there is none and then checks each access.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.bytes.len()
    }

    fn byte_capacity(&self) -> usize {
        self.bytes.len()
    }

    fn grow_to(&mut self, size: usize) -> wasmtime::Result<()> {
        let more = size.saturating_sub(self.bytes.len());
        self.bytes.extend(zeroes(more));
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.bytes.as_ptr().cast::<u8>().cast_mut()
    }
}

#[expect(unsafe_code, reason = "a trait of wasmtime's; each memory is its instance's own")]
// SAFETY: each memory is new, and reachable by nobody else until it is dropped.
unsafe impl MemoryCreator for Keeper {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        _: Option<usize>,
        _: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        Ok(Box::new(Memory { bytes: zeroes(minimum).collect(), keeper: self.clone() }))
    }
}
