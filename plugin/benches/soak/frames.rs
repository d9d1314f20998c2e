//! What a frame's clock is: the marks that systems leave around the plugin's, the time that the machine
//! took, and the sleep until the next frame.

use std::fs::File;
use std::io::{Read, Seek};
use std::time::{Duration, Instant};

use bevy_ecs::resource::Resource;
use bevy_ecs::system::ResMut;

use crate::figures::Lost;

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

/// What the kernel tells of time in which this thread could have run and did not. Its files are kept
/// open: a look is one system call each. Where there are none, nothing is lost.
pub(crate) struct Losses {
    /// What the thread waited for a processor.
    queue: Option<File>,
    /// What the hypervisor took of all processors.
    steal: Option<File>,
}

/// How both stood when a frame began.
pub(crate) struct Began {
    waited: Duration,
    stolen: Duration,
}

impl Losses {
    pub(crate) fn of_this_thread() -> Self {
        Self {
            queue: File::open("/proc/thread-self/schedstat").ok(),
            steal: File::open("/proc/stat").ok(),
        }
    }

    pub(crate) fn begin(&mut self) -> Began {
        Began {
            stolen: self.stolen(),
            waited: self.waited(),
        }
    }

    /// To be asked at the end of the work, because a sleeper waits, too, when it wakes.
    pub(crate) fn waited_since(&mut self, began: &Began) -> Duration {
        self.waited().saturating_sub(began.waited)
    }

    /// To be asked when the next frame begins: the kernel learns of it at its next tick.
    pub(crate) fn lost_since(&mut self, began: &Began, waited: Duration) -> Lost {
        Lost {
            waited,
            stolen: self.stolen().saturating_sub(began.stolen),
        }
    }

    fn waited(&mut self) -> Duration {
        // Running, waiting, turns: in nanoseconds.
        number(&mut self.queue, 1).map_or(Duration::ZERO, Duration::from_nanos)
    }

    fn stolen(&mut self) -> Duration {
        // `cpu`, an empty word, user, nice, system, idle, iowait, irq, softirq, steal: in hundredths.
        Duration::from_millis(10 * number(&mut self.steal, 9).unwrap_or(0))
    }
}

/// The number at this place of a file's first line.
fn number(file: &mut Option<File>, place: usize) -> Option<u64> {
    let file = file.as_mut()?;
    let mut text = [0; 256];
    file.rewind().ok()?;
    let length = file.read(&mut text).ok()?;
    let line = std::str::from_utf8(&text[..length]).ok()?.lines().next()?;
    line.split(' ').nth(place)?.parse().ok()
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
