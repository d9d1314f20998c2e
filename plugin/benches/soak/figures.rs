//! What is measured at one frame rate, and what follows from it: percentiles, a histogram, whose fault
//! a long frame was, and whether memory grows.

use std::time::Duration;

use crate::frames::{Marks, Work};
use crate::load::Tally;
use crate::peers::Counted;

/// How far the 99.9th percentile may exceed the budget.
pub(crate) const SLACK: Duration = Duration::from_micros(200);

/// How far any frame may.
pub(crate) const MOST: Duration = Duration::from_millis(1);

/// The width of a bucket of the histogram, as far as [`FINE`]; beyond it they double.
const BUCKET: u64 = 50;
const FINE: u64 = 3000;

/// One frame of the app.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) number: u32,
    pub(crate) work: Work,
    pub(crate) lost: Lost,
}

impl Frame {
    pub(crate) fn took(&self) -> Duration {
        self.work.polled()
    }

    /// But for what the machine took.
    pub(crate) fn own(&self) -> Duration {
        self.lost.without(self.took())
    }
}

/// What the machine took of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lost {
    /// For how long the thread was ready to run and did not.
    pub(crate) waited: Duration,
    /// What the hypervisor took from the frame's beginning to that of the next one, to 10 ms.
    pub(crate) stolen: Duration,
}

impl Lost {
    fn without(self, took: Duration) -> Duration {
        took.saturating_sub(self.waited + self.stolen)
    }
}

/// One frame of a loop that stands beside the app.
#[derive(Clone, Copy)]
pub(crate) struct Other {
    pub(crate) took: Duration,
    pub(crate) lost: Lost,
}

impl Other {
    /// But for what the machine took.
    pub(crate) fn own(&self) -> Duration {
        self.lost.without(self.took)
    }
}

pub(crate) struct Figures {
    pub(crate) fps: u32,
    pub(crate) budget: Duration,
    pub(crate) frames: Vec<Frame>,
    /// Of the loop that spins.
    pub(crate) empty: Vec<Other>,
    /// Of the loop that reads by hand.
    pub(crate) plain: Vec<Other>,
    pub(crate) memory: Memory,
    pub(crate) tally: Tally,
    pub(crate) peers: Counted,
}

/// Frames that took longer than they should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    pub(crate) all: usize,
    /// Of these, those that were within the limit but for what the machine took.
    pub(crate) by_the_machine: usize,
}

impl Over {
    fn count(frames: impl Iterator<Item = (Duration, Duration)>, limit: Duration) -> Self {
        let mut over = Self {
            all: 0,
            by_the_machine: 0,
        };
        for (_, own) in frames.filter(|(took, _)| *took > limit) {
            over.all += 1;
            over.by_the_machine += usize::from(own <= limit);
        }
        over
    }

    pub(crate) fn by_itself(self) -> usize {
        self.all - self.by_the_machine
    }
}

impl Figures {
    /// Room for all, so that the figures themselves do not make memory grow.
    pub(crate) fn new(fps: u32, budget: Duration, seconds: u32) -> Self {
        let count = (fps * seconds) as usize;
        let frame = Frame {
            number: 1,
            work: Work::default(),
            lost: Lost::default(),
        };
        let other = Other {
            took: Duration::MAX,
            lost: Lost::default(),
        };
        // Written, not only reserved: else the pages would come one by one.
        let mut frames = vec![frame; count];
        let (mut empty, mut plain) = (vec![other; count], vec![other; count]);
        frames.clear();
        empty.clear();
        plain.clear();
        Self {
            fps,
            budget,
            frames,
            empty,
            plain,
            memory: Memory::new(0),
            tally: Tally::default(),
            peers: Counted::default(),
        }
    }

    pub(crate) fn note_frame(&mut self, marks: Marks, lost: Lost) {
        self.frames.push(Frame {
            number: u32::try_from(self.frames.len()).unwrap_or(u32::MAX),
            work: marks.work(),
            lost,
        });
    }

    pub(crate) fn note_empty(&mut self, took: Duration, lost: Lost) {
        self.empty.push(Other { took, lost });
    }

    pub(crate) fn note_plain(&mut self, took: Duration, lost: Lost) {
        self.plain.push(Other { took, lost });
    }

    /// Frames that took this much more than the budget.
    pub(crate) fn over(&self, slack: Duration) -> Over {
        let frames = self.frames.iter().map(|it| (it.took(), it.own()));
        Over::count(frames, self.budget + slack)
    }

    pub(crate) fn empty_over(&self, slack: Duration) -> Over {
        self.others_over(&self.empty, slack)
    }

    pub(crate) fn plain_over(&self, slack: Duration) -> Over {
        self.others_over(&self.plain, slack)
    }

    fn others_over(&self, others: &[Other], slack: Duration) -> Over {
        let frames = others.iter().map(|it| (it.took, it.own()));
        Over::count(frames, self.budget + slack)
    }

    /// The longest frames, the longest first.
    pub(crate) fn longest(&self, count: usize) -> Vec<Frame> {
        let mut frames = self.frames.clone();
        frames.sort_unstable_by_key(|frame| std::cmp::Reverse(frame.took()));
        frames.truncate(count);
        frames
    }

    /// Buckets in µs, with how many frames of the app, of the empty loop and of the reading one were in
    /// each. Empty buckets behind the last one in use are left out.
    pub(crate) fn histogram(&self) -> Vec<(u64, u64, [usize; 3])> {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let others = |of: &[Other]| of.iter().map(|it| micros(it.took)).collect();
        let loops: [Vec<u64>; 3] = [
            self.frames.iter().map(|it| micros(it.took())).collect(),
            others(&self.empty),
            others(&self.plain),
        ];
        let last = loops.iter().flatten().copied().max().unwrap_or(0);
        let mut buckets = Vec::new();
        let mut from = 0;
        while from <= last {
            let to = if from < FINE { from + BUCKET } else { from * 2 };
            let within =
                |times: &Vec<u64>| times.iter().filter(|it| (from..to).contains(it)).count();
            buckets.push((from, to, loops.each_ref().map(within)));
            from = to;
        }
        buckets
    }
}

/// The `part` (0 to 1) of `times` is not above this: the nearest rank.
pub(crate) fn percentile(times: impl Iterator<Item = Duration>, part: f64) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let rank = (times.len() as f64 * part).ceil() as usize;
    times
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// What the process has in memory, from time to time, in KiB.
#[derive(Clone)]
pub(crate) struct Memory {
    resident: Vec<u64>,
}

/// Samples that stand for one point of the run.
const AROUND: usize = 3;

impl Memory {
    pub(crate) fn new(samples: usize) -> Self {
        let mut resident = vec![1; samples];
        resident.clear();
        Self { resident }
    }

    /// Once a window.
    pub(crate) fn note(&mut self) {
        let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        self.resident.push(kib.unwrap_or(0));
    }

    /// At this part of the run: the middle one of the samples around it.
    pub(crate) fn at(&self, part: f64) -> u64 {
        let last = self.resident.len().saturating_sub(1);
        let index = (last as f64 * part).round() as usize;
        let from = index.saturating_sub(AROUND);
        let to = (index + AROUND + 1).min(self.resident.len());
        self.middle(from, to)
    }

    /// The middle one of these samples.
    fn middle(&self, from: usize, to: usize) -> u64 {
        let mut samples = self.resident[from..to].to_vec();
        samples.sort_unstable();
        samples.get(samples.len() / 2).copied().unwrap_or(0)
    }

    /// In this quarter of the run, 0 to 3: what is under way for a moment shows in no middle one.
    pub(crate) fn in_quarter(&self, quarter: usize) -> u64 {
        let count = self.resident.len();
        self.middle(count * quarter / 4, count * (quarter + 1) / 4)
    }

    /// KiB a sample over the second half of the run, by least squares.
    pub(crate) fn slope(&self) -> f64 {
        let half = &self.resident[self.resident.len() / 2..];
        let count = half.len() as f64;
        let mean_x = (count - 1.0) / 2.0;
        let mean_y = half.iter().sum::<u64>() as f64 / count;
        let (mut above, mut below) = (0.0, 0.0);
        for (x, y) in half.iter().enumerate() {
            let from_mean = x as f64 - mean_x;
            above += from_mean * (*y as f64 - mean_y);
            below += from_mean * from_mean;
        }
        if below > 0.0 { above / below } else { 0.0 }
    }

    /// Flat: the last quarter of the run has hardly more than the second.
    pub(crate) fn is_flat(&self) -> bool {
        self.in_quarter(3) <= self.in_quarter(1) + FLAT
    }
}

/// How much more memory may be in use in the last quarter than in the second, in KiB: in a run of 60 s at
/// 60 fps some 100 bytes for each frame and small question between them.
pub(crate) const FLAT: u64 = 1024;
