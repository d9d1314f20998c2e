//! The meter, on a virtual clock.

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
    let mut unlimited = BudgetMeter::start(&Clock::Virtual(network), &RemainingBudget::unlimited());
    unlimited.note_work();
    assert!(unlimited.can_start(Duration::MAX));
}
