//! What a process used: processor time, memory, allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// User and system time of this process.
pub fn processor() -> Duration {
    // SAFETY: all-zero is a valid `rusage`, and the call fills the one that it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let time = |it: libc::timeval| {
        Duration::from_secs(it.tv_sec.unsigned_abs())
            + Duration::from_micros(it.tv_usec.unsigned_abs())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// KiB of a line in `/proc/self/status`: `VmRSS`, `VmHWM`.
pub fn memory(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(f64::NAN)
}

/// Sockets that this process holds.
pub fn sockets() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, |entries| {
        entries
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    })
}

/// Threads of this process.
pub fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Processor time that all processors of this machine spent on work, and that of another process
/// with its finished children, in clock ticks.
pub fn busy_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let numbers: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|it| it.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal
    [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|&at| numbers.get(at))
        .sum()
}

/// See [`busy_ticks`].
pub fn ticks_of(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind_name = stat.rsplit_once(") ").map_or("", |it| it.1);
    let fields: Vec<&str> = behind_name.split(' ').collect();
    fields
        .get(11..15)
        .unwrap_or_default()
        .iter()
        .filter_map(|it| it.parse::<u64>().ok())
        .sum()
}

/// The system's allocator, which counts when it is told to. libcurl's allocations come here, too: see
/// `peer::libcurl`.
pub struct Counting;

static COUNTS: AtomicBool = AtomicBool::new(false);
static TAKEN: AtomicU64 = AtomicU64::new(0);
static GIVEN_BACK: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);

/// What was counted so far. A reallocation is one allocation, and gives nothing back.
#[derive(Clone, Copy)]
pub struct Allocations {
    pub taken: u64,
    pub given_back: u64,
    /// Bytes.
    pub live: i64,
}

/// Begins to count.
pub fn count_allocations() {
    COUNTS.store(true, Relaxed);
}

pub fn allocations() -> Allocations {
    Allocations {
        taken: TAKEN.load(Relaxed),
        given_back: GIVEN_BACK.load(Relaxed),
        live: LIVE.load(Relaxed),
    }
}

fn take(bytes: usize) {
    if COUNTS.load(Relaxed) {
        TAKEN.fetch_add(1, Relaxed);
        LIVE.fetch_add(bytes as i64, Relaxed);
    }
}

fn give_back(bytes: usize) {
    if COUNTS.load(Relaxed) {
        GIVEN_BACK.fetch_add(1, Relaxed);
        LIVE.fetch_sub(bytes as i64, Relaxed);
    }
}

// SAFETY: everything is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        give_back(layout.size());
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if COUNTS.load(Relaxed) {
            TAKEN.fetch_add(1, Relaxed);
            LIVE.fetch_add(size as i64 - layout.size() as i64, Relaxed);
        }
        unsafe { System.realloc(at, layout, size) }
    }
}

/// The same for C, by the allocator's own idea of sizes.
pub mod c {
    use std::ffi::{c_char, c_void};

    use super::{give_back, take};

    fn size(at: *mut c_void) -> usize {
        // SAFETY: `at` came from `malloc` and was not freed; null is allowed.
        unsafe { libc::malloc_usable_size(at) }
    }

    pub extern "C" fn malloc(bytes: usize) -> *mut c_void {
        let at = unsafe { libc::malloc(bytes) };
        take(size(at));
        at
    }

    pub extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
        let at = unsafe { libc::calloc(count, bytes) };
        take(size(at));
        at
    }

    pub extern "C" fn realloc(old: *mut c_void, bytes: usize) -> *mut c_void {
        let before = size(old);
        let at = unsafe { libc::realloc(old, bytes) };
        if !at.is_null() {
            take(size(at));
            super::LIVE.fetch_sub(
                if super::COUNTS.load(super::Relaxed) {
                    before as i64
                } else {
                    0
                },
                super::Relaxed,
            );
        }
        at
    }

    pub extern "C" fn free(at: *mut c_void) {
        if !at.is_null() {
            give_back(size(at));
            unsafe { libc::free(at) }
        }
    }

    pub extern "C" fn strdup(text: *const c_char) -> *mut c_char {
        let at = unsafe { libc::strdup(text) };
        take(size(at.cast()));
        at
    }
}

/// Lets this process open as many files as it may.
pub fn open_many_files() {
    // SAFETY: both calls read or fill the structure that they are given.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}
