//! What a frame's clock is: the marks that systems leave around the plugin's, the time that the thread
//! stood in the queue for a processor, and the sleep until the next frame.

use std::fs::File;
use std::io::{Read, Seek};
use std::time::{Duration, Instant};

use bevy_ecs::resource::Resource;
use bevy_ecs::system::ResMut;

/// When the plugin's sets began and ended in this frame.
#[derive(Resource, Clone, Copy)]
pub(crate) struct Marks {
    at: [Instant; 6],
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            at: [Instant::now(); 6],
        }
    }
}

/// What the plugin's sets took of one frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub(crate) poll: Duration,
    /// Events told, with what the app's observers do.
    pub(crate) dispatch: Duration,
    pub(crate) submit: Duration,
    pub(crate) flush: Duration,
}

impl Work {
    /// What the budget is for: sockets, for clients and servers together.
    pub(crate) fn polled(&self) -> Duration {
        self.poll + self.submit + self.flush
    }

    pub(crate) fn all(&self) -> Duration {
        self.polled() + self.dispatch
    }
}

impl Marks {
    pub(crate) fn work(&self) -> Work {
        let between = |from: usize, to: usize| self.at[to].saturating_duration_since(self.at[from]);
        Work {
            poll: between(0, 1),
            dispatch: between(1, 2),
            submit: between(3, 4),
            flush: between(4, 5),
        }
    }
}

/// A system that leaves a mark.
pub(crate) fn mark<const INDEX: usize>(mut marks: ResMut<Marks>) {
    marks.at[INDEX] = Instant::now();
}

/// What the kernel tells of how long this thread was ready to run and did not. Kept open: a look is one
/// system call.
pub(crate) struct Queue(Option<File>);

impl Queue {
    /// Of the calling thread. It tells nothing where the kernel does not say.
    pub(crate) fn of_this_thread() -> Self {
        Self(File::open("/proc/thread-self/schedstat").ok())
    }

    /// How long since the thread began.
    pub(crate) fn waited(&mut self) -> Duration {
        self.read().map_or(Duration::ZERO, Duration::from_nanos)
    }

    fn read(&mut self) -> Option<u64> {
        let file = self.0.as_mut()?;
        let mut text = [0; 64];
        file.rewind().ok()?;
        let length = file.read(&mut text).ok()?;
        // Running, waiting, turns: in nanoseconds.
        let text = std::str::from_utf8(&text[..length]).ok()?;
        text.split(' ').nth(1)?.parse().ok()
    }
}

/// What the hypervisor has taken of all processors since the machine began, to 10 ms.
pub(crate) fn stolen() -> Duration {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    // `cpu`, an empty word, user, nice, system, idle, iowait, irq, softirq, steal: in hundredths.
    let ticks = text.split(' ').nth(9).and_then(|it| it.parse().ok());
    Duration::from_millis(10) * ticks.unwrap_or(0)
}

/// Frames at equal distances.
pub(crate) struct Pace {
    frame: Duration,
    next: Instant,
}

impl Pace {
    pub(crate) fn new(fps: u32) -> Self {
        Self {
            frame: Duration::from_secs(1) / fps,
            next: Instant::now(),
        }
    }

    /// A frame that was missed is not made up.
    pub(crate) fn sleep(&mut self) {
        let now = Instant::now();
        self.next = (self.next + self.frame).max(now);
        std::thread::sleep(self.next - now);
    }
}
