//! The clock, and the meter that counts a [`Budget`] down while a poll works.
//!
//! A poll reads the time once and passes it down as `now`. Only the meter reads the clock again.

use std::time::Duration;
#[cfg(any(feature = "agent", feature = "server"))]
use std::time::SystemTime;

use crate::budget::Budget;
use crate::clock::Instant;
use crate::transport::memory::MemoryNetwork;

/// The source of the time: the system's monotonic clock, or a virtual clock that stands still while a poll
/// runs.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    System,
    Virtual(MemoryNetwork),
}

impl Clock {
    pub(crate) fn now(&self) -> Instant {
        match self {
            Self::System => Instant::now(),
            Self::Virtual(network) => network.now(),
        }
    }

    /// The time of day, for HTTP dates: cookies, caches, `Retry-After`.
    #[cfg(any(feature = "agent", feature = "server"))]
    pub(crate) fn wall(&self) -> SystemTime {
        match self {
            Self::System => crate::clock::system_time(),
            Self::Virtual(network) => network.wall(),
        }
    }
}

/// What a poll left of its budget, for the reads that follow it.
#[derive(Clone, Debug, Default)]
pub(crate) struct RemainingBudget {
    time: Option<Duration>,
    bytes: Option<u64>,
    /// How fast bytes moved in the poll.
    pace: Pace,
}

impl RemainingBudget {
    pub(crate) fn of(budget: &Budget) -> Self {
        Self {
            time: budget.time,
            bytes: budget.bytes,
            pace: Pace::default(),
        }
    }

    /// The same budget, less the time that was already spent for it before the poll.
    pub(crate) fn less(self, spent: Duration) -> Self {
        Self {
            time: self.time.map(|time| time.saturating_sub(spent)),
            ..self
        }
    }

    /// Whether nothing is left.
    #[cfg(feature = "agent")]
    pub(crate) fn is_spent(&self) -> bool {
        self.time == Some(Duration::ZERO) || self.bytes == Some(0)
    }

    /// No limit, for calls that wait.
    pub(crate) fn unlimited() -> Self {
        Self::default()
    }

    /// Nothing: the state before the first poll grants a budget.
    pub(crate) fn nothing() -> Self {
        Self {
            time: Some(Duration::ZERO),
            ..Self::default()
        }
    }
}

/// The measured time that it takes to move a byte. It depends on the machine, on TLS, and on whether the
/// processor was just asleep.
#[derive(Clone, Copy, Debug)]
struct Pace {
    nanos_per_kib: u64,
}

/// The pace before the first measurement: 2 KiB per microsecond, the slowest speed at which kernels copy,
/// right after the processor was asleep.
impl Default for Pace {
    fn default() -> Self {
        Self { nanos_per_kib: 500 }
    }
}

impl Pace {
    /// Learns from a move of `bytes` that took `time`. A slower pace counts at once, a faster one step by
    /// step, because a read that is too large exceeds the budget, while one that is too small costs only a
    /// system call.
    fn learn(&mut self, bytes: usize, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let seen = nanos.saturating_mul(1024) / (bytes as u64).max(1);
        self.nanos_per_kib = match seen.checked_sub(self.nanos_per_kib) {
            Some(_) => seen,
            None => self.nanos_per_kib - (self.nanos_per_kib - seen) / 4,
        }
        .max(1);
    }

    /// The time that it takes to move these bytes.
    fn time_for(self, bytes: usize) -> Duration {
        Duration::from_nanos(self.nanos_per_kib.saturating_mul(bytes as u64) / 1024)
    }

    /// The number of bytes that can be moved in `time`.
    fn bytes_in(self, time: Duration) -> usize {
        let bytes = time.as_nanos() * 1024 / u128::from(self.nanos_per_kib.max(1));
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

/// Counts a poll, or a read after it, against a [`RemainingBudget`].
#[derive(Debug)]
pub(crate) struct BudgetMeter {
    clock: Clock,
    started: Instant,
    deadline: Option<Instant>,
    bytes: Option<u64>,
    cut: bool,
    deferred: bool,
    /// The time when the clock was last read.
    latest: Instant,
    /// Whether the next operation is free, because none was done yet.
    free_step: bool,
    /// Whether any operation was done yet.
    worked: bool,
    pace: Pace,
    /// The time of the smallest read; zero before one was measured. When less time is left, the budget
    /// counts as spent.
    reserve: Duration,
    /// Bytes moved since the clock was last read, and the time of that reading.
    moved: Option<(usize, Instant)>,
    turn: Option<Turn>,
}

/// One turn of one machine.
#[derive(Debug)]
struct Turn {
    length: Duration,
    /// The first reading of the clock in this turn.
    started: Option<Instant>,
    is_over: bool,
}

/// The smallest size to which a read is reduced, about one TLS record. Smaller moves do not measure the
/// pace.
const LEAST_READ: usize = 16 * 1024;

impl BudgetMeter {
    /// A meter for a poll that begins now.
    pub(crate) fn start(clock: &Clock, remaining_budget: &RemainingBudget) -> Self {
        Self::start_at(clock.now(), clock, remaining_budget)
    }

    /// A meter for a poll that began at `started`.
    pub(crate) fn start_at(
        started: Instant,
        clock: &Clock,
        remaining_budget: &RemainingBudget,
    ) -> Self {
        Self {
            clock: clock.clone(),
            started,
            // A deadline beyond the clock's range means no limit.
            deadline: remaining_budget
                .time
                .and_then(|time| started.checked_add(time)),
            bytes: remaining_budget.bytes,
            cut: false,
            deferred: false,
            latest: started,
            free_step: false,
            worked: false,
            pace: remaining_budget.pace,
            reserve: Duration::ZERO,
            moved: None,
            turn: None,
        }
    }

    /// Starts another turn of at most `length`. With `has_free_step`, its first operation is done whatever
    /// the budget says, so that the last machine in the rotation does not starve. `is_cut` says whether the
    /// budget has already prevented some of the machine's work.
    pub(crate) fn start_turn(
        &mut self,
        length: Option<Duration>,
        has_free_step: bool,
        is_cut: bool,
    ) {
        self.free_step = has_free_step;
        self.cut = is_cut;
        self.deferred = false;
        self.turn = length.map(|length| Turn {
            length,
            started: None,
            is_over: false,
        });
    }

    /// Notes bytes that were moved over the network.
    pub(crate) fn spend(&mut self, bytes: usize) {
        if self.deadline.is_some() {
            let (before, since) = self.moved.unwrap_or((0, self.latest));
            self.moved = Some((before + bytes, since));
        }
        if let Some(left) = &mut self.bytes {
            *left = left.saturating_sub(bytes as u64);
        }
    }

    /// How many of `wanted` bytes may move at once. It is at most the bytes left in the budget, and at most
    /// what should take half of the time left, so that a slow read does not exceed the budget. It is at
    /// least one; call it only while the budget is not exhausted.
    pub(crate) fn clamp(&mut self, wanted: usize) -> usize {
        self.note_work();
        let by_time = match self.deadline {
            Some(deadline) if wanted > LEAST_READ => {
                let left = deadline.saturating_duration_since(self.latest);
                self.pace.bytes_in(left / 2).max(LEAST_READ)
            }
            _ => usize::MAX,
        };
        let by_bytes = self.bytes.map_or(usize::MAX, |left| {
            usize::try_from(left).unwrap_or(usize::MAX)
        });
        wanted.min(by_time).min(by_bytes).max(1)
    }

    /// Notes that a step was done, which uses up the free step.
    pub(crate) fn note_work(&mut self) {
        self.free_step = false;
        self.worked = true;
    }

    /// Whether a step that cannot be cut, and recently took `cost`, may start. If not, the turn ends. The first step
    /// of a poll may always start; otherwise a step that costs more than a whole budget would never be done.
    pub(crate) fn can_start(&mut self, cost: Duration) -> bool {
        let Some(deadline) = self.deadline.filter(|_| self.worked) else {
            return true;
        };
        self.latest = self.clock.now();
        if deadline.saturating_duration_since(self.latest) >= cost {
            return true;
        }
        match &mut self.turn {
            // Other machines may have work that fits.
            Some(turn) => turn.is_over = true,
            None => self.deadline = Some(self.latest),
        }
        self.free_step = false;
        self.cut = true;
        self.deferred = true;
        false
    }

    /// Whether [`can_start`](Self::can_start) returned `false` in this turn. That step should be the first
    /// of the next poll.
    pub(crate) fn has_deferred(&self) -> bool {
        self.deferred
    }

    /// Whether the budget is spent or the turn has ended. If so, the meter remembers that work was cut
    /// short.
    pub(crate) fn exhausted(&mut self) -> bool {
        if self.free_step {
            return false;
        }
        let is_over = self.is_spent() || self.is_turn_over();
        self.cut |= is_over;
        is_over
    }

    /// Whether the budget is spent, for all machines and turns.
    pub(crate) fn is_spent(&mut self) -> bool {
        if self.deadline.is_some() || self.turn.is_some() {
            self.latest = self.clock.now();
        }
        if self.deadline.is_some()
            && let Some((bytes, since)) = self.moved.take()
            && bytes >= LEAST_READ
            && self.latest > since
        {
            self.pace.learn(bytes, self.latest - since);
            // Twice, because a read has costs besides those of its bytes.
            self.reserve = self.pace.time_for(2 * LEAST_READ);
        }
        self.bytes == Some(0)
            || self
                .deadline
                .is_some_and(|deadline| self.latest + self.reserve >= deadline)
    }

    /// Whether the turn has ended, as of the last reading of the clock.
    fn is_turn_over(&mut self) -> bool {
        let Some(turn) = &mut self.turn else {
            return false;
        };
        let started = *turn.started.get_or_insert(self.latest);
        turn.is_over |= self.latest.saturating_duration_since(started) >= turn.length;
        turn.is_over
    }

    /// Whether [`exhausted`](Self::exhausted) has returned `true` in this turn.
    pub(crate) fn cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// When the clock was last read for the budget: before the step that is under way, or in a poll without a limit
    /// of time when it began. For times of which milliseconds do not matter.
    pub(crate) fn latest(&self) -> Instant {
        self.latest
    }

    /// What is left for later work in the same frame.
    pub(crate) fn rest(&self) -> RemainingBudget {
        RemainingBudget {
            time: self
                .deadline
                .map(|deadline| deadline.saturating_duration_since(self.clock.now())),
            bytes: self.bytes,
            pace: self.pace,
        }
    }

    /// When this meter was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }
}

#[cfg(test)]
mod tests;
