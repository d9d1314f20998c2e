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
mod tests {
    use super::*;

    fn meter(network: &MemoryNetwork, budget: &Budget) -> BudgetMeter {
        BudgetMeter::start(
            &Clock::Virtual(network.clone()),
            &RemainingBudget::of(budget),
        )
    }

    #[test]
    fn spent_bytes_end_the_poll_and_the_rest_carries_over() {
        let network = MemoryNetwork::new();
        let mut first = meter(&network, &Budget::unlimited().with_bytes(100));
        assert_eq!(first.clamp(1000), 100);
        first.spend(60);
        assert!(!first.exhausted());
        let mut second = BudgetMeter::start(&Clock::Virtual(network), &first.rest());
        assert_eq!(second.clamp(1000), 40);
        second.spend(40);
        assert!(second.exhausted() && second.cut());
        assert!(!first.cut());
    }

    #[test]
    fn large_reads_shrink_before_time_runs_out() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::frame(Duration::from_micros(100)));
        assert_eq!(meter.clamp(usize::MAX), 50 * 2048);
        network.advance(Duration::from_micros(60));
        assert!(!meter.exhausted());
        assert_eq!(meter.clamp(usize::MAX), 20 * 2048);
        network.advance(Duration::from_micros(39));
        assert!(!meter.exhausted());
        assert_eq!(meter.clamp(usize::MAX), LEAST_READ);
        network.advance(Duration::from_micros(1));
        assert!(meter.exhausted());
    }

    #[test]
    fn the_first_operation_of_a_turn_is_free() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::frame(Duration::ZERO));
        meter.start_turn(None, true, false);
        assert!(!meter.exhausted());
        assert_eq!(meter.clamp(usize::MAX), LEAST_READ);
        assert!(meter.exhausted() && meter.cut());
    }

    #[test]
    fn an_unlimited_budget_is_never_exhausted() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::unlimited());
        meter.spend(usize::MAX);
        network.advance(Duration::from_secs(3600));
        assert!(!meter.exhausted());
        assert_eq!(meter.clamp(usize::MAX), usize::MAX);
    }

    /// Simulates a download on a machine that takes this long per KiB. Returns the microseconds by which
    /// the budget was exceeded (negative: the time that was left) and the number of reads.
    fn read_all(nanos_per_kib: u64, budget: Duration) -> (i128, usize) {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::frame(budget));
        let mut reads = 0;
        while !meter.exhausted() {
            let bytes = meter.clamp(256 * 1024);
            let nanos = 2000 + nanos_per_kib * bytes as u64 / 1024;
            network.advance(Duration::from_nanos(nanos));
            meter.spend(bytes);
            reads += 1;
        }
        let took = network.now() - meter.started();
        let over = took.as_nanos() as i128 - budget.as_nanos() as i128;
        (over / 1000, reads)
    }

    #[test]
    fn reads_keep_to_the_budget_on_machines_of_any_speed() {
        for millis in [1, 2, 4] {
            let budget = Duration::from_millis(millis);
            for nanos_per_kib in [50, 150, 500, 1000, 2000, 3000] {
                let (over, reads) = read_all(nanos_per_kib, budget);
                assert!(over <= 60, "{over} us over {millis} ms, {nanos_per_kib} ns");
                let fewest = budget.as_nanos() as usize / (256 * nanos_per_kib as usize + 2000);
                assert!(reads <= fewest + 12, "{reads} reads instead of {fewest}");
            }
        }
    }

    #[test]
    fn the_measured_pace_holds_for_the_rest_of_the_frame() {
        let network = MemoryNetwork::new();
        let mut first = meter(&network, &Budget::frame(Duration::from_micros(1000)));
        assert!(!first.exhausted());
        first.spend(100 * 1024);
        network.advance(Duration::from_micros(100));
        assert!(!first.exhausted());
        assert_eq!(first.clamp(usize::MAX), 450 * 1024);
        let mut second = BudgetMeter::start(&Clock::Virtual(network), &first.rest());
        assert_eq!(second.clamp(usize::MAX), 450 * 1024);
    }

    #[test]
    fn small_moves_do_not_measure_the_pace() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::frame(Duration::from_micros(1000)));
        meter.spend(100);
        network.advance(Duration::from_micros(200));
        assert!(!meter.exhausted());
        assert_eq!(meter.clamp(usize::MAX), 400 * 2048);
    }

    #[test]
    fn a_step_that_does_not_fit_ends_the_poll_unless_it_is_the_first() {
        let network = MemoryNetwork::new();
        let cost = Duration::from_micros(300);
        let mut meter = meter(&network, &Budget::frame(Duration::from_micros(500)));
        network.advance(Duration::from_micros(400));
        assert!(meter.can_start(cost), "nothing was done yet");
        meter.note_work();
        assert!(!meter.exhausted());
        assert!(!meter.can_start(cost));
        assert!(meter.exhausted() && meter.cut());
        assert!(meter.rest().time.unwrap().is_zero());
    }

    #[test]
    fn a_turn_ends_before_the_budget_and_another_may_follow() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::frame(Duration::from_micros(250)));
        for _ in 0..2 {
            meter.start_turn(Some(Duration::from_micros(100)), false, false);
            assert!(!meter.exhausted() && !meter.cut());
            network.advance(Duration::from_micros(100));
            assert!(meter.exhausted() && meter.cut() && !meter.is_spent());
        }
        meter.start_turn(Some(Duration::from_micros(100)), false, false);
        assert!(!meter.exhausted());
        network.advance(Duration::from_micros(50));
        assert!(meter.exhausted() && meter.is_spent());
    }

    #[test]
    fn a_step_that_does_not_fit_ends_only_the_turn_of_its_machine() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::frame(Duration::from_micros(500)));
        meter.note_work();
        meter.start_turn(Some(Duration::from_micros(100)), true, false);
        assert!(!meter.can_start(Duration::from_micros(600)));
        assert!(meter.exhausted() && meter.has_deferred() && !meter.is_spent());
        meter.start_turn(Some(Duration::from_micros(100)), false, false);
        assert!(!meter.exhausted() && !meter.has_deferred());
    }

    #[test]
    fn a_step_that_fits_is_done() {
        let network = MemoryNetwork::new();
        let mut meter = meter(&network, &Budget::frame(Duration::from_micros(500)));
        meter.note_work();
        network.advance(Duration::from_micros(200));
        assert!(meter.can_start(Duration::from_micros(300)));
        assert!(!meter.can_start(Duration::from_micros(301)));
        let mut unlimited =
            BudgetMeter::start(&Clock::Virtual(network), &RemainingBudget::unlimited());
        unlimited.note_work();
        assert!(unlimited.can_start(Duration::MAX));
    }
}
