//! What the worker writes behind its owner: order, space, faults and the end.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex};

use super::*;

/// Records the commands that it gets. It blocks while the gate is closed.
struct Notes {
    notes: Arc<Mutex<Vec<String>>>,
    gate: Receiver<()>,
}

impl WriteTarget for Notes {
    type Command = &'static str;
    type Output = &'static str;

    fn carry_out(
        &mut self,
        command: &'static str,
        steps: &Steps<'_>,
    ) -> Result<Option<&'static str>, DiskFault> {
        let _ = self.gate.recv_timeout(NET);
        self.notes.lock().unwrap().push(command.to_owned());
        steps.run(DiskStep::Write, || match command {
            "fail" => Err(std::io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        })?;
        Ok(command.starts_with("out").then_some(command))
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        self.notes.lock().unwrap().push(format!("dropped {name}"));
    }
}

struct Test {
    disk: Disk,
    writer: WriteBehind<Notes>,
    notes: Arc<Mutex<Vec<String>>>,
    gate: Sender<()>,
    notified: Receiver<()>,
}

fn test() -> Test {
    let disk = threaded();
    let notes = Arc::default();
    let (gate, waiting) = channel();
    let (sender, notified) = channel();
    let sender = Mutex::new(sender);
    let target = Notes {
        notes: Arc::clone(&notes),
        gate: waiting,
    };
    let notify = Arc::new(move || {
        let _ = sender.lock().unwrap().send(());
    });
    Test {
        writer: WriteBehind::new(&disk, target, notify),
        disk,
        notes,
        gate,
        notified,
    }
}

impl Test {
    fn go_on(&self) {
        self.gate.send(()).unwrap();
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

const MIB: usize = 1024 * 1024;

#[test]
fn commands_are_carried_out_in_order_and_results_wait() {
    let test = test();
    assert!(!test.disk.has_started(), "nothing to do yet");
    for command in ["a", "out 1", "b", "out 2"] {
        test.writer.push(command, 10);
        test.go_on();
    }
    if !test.writer.is_done() {
        test.notified.recv_timeout(NET).unwrap();
    }
    settle(&test.disk);
    assert!(test.writer.is_done());
    assert_eq!(test.notes(), ["a", "out 1", "b", "out 2"]);
    assert_eq!(test.writer.poll_output(), Some("out 1"));
    assert_eq!(test.writer.poll_output(), Some("out 2"));
    assert_eq!(test.writer.poll_output(), None);
    assert_eq!(test.writer.room(0), MIB);
}

#[test]
fn a_full_queue_has_no_room_until_half_of_it_is_written() {
    let test = test();
    for _ in 0..4 {
        test.writer.push("a", MIB / 4);
    }
    assert_eq!(test.writer.room(0), 0);
    test.go_on();
    test.go_on();
    test.notified.recv_timeout(NET).unwrap();
    assert_eq!(test.writer.room(0), MIB / 2);
    assert_eq!(
        test.notified.try_recv(),
        Err(TryRecvError::Empty),
        "told once"
    );
    // What was held in memory before goes into the queue all the same.
    test.writer.push("b", 3 * MIB);
    assert_eq!(test.writer.room(0), 0);
    drop(test.gate);
    settle(&test.disk);
    assert_eq!(test.writer.room(0), MIB);
}

#[test]
fn many_writers_share_the_limit() {
    let test = test();
    let target = |_| {
        let (_, gate) = channel();
        let notes = Arc::default();
        WriteBehind::new(&test.disk, Notes { notes, gate }, Arc::new(|| {}))
    };
    let others: Vec<_> = (1..64).map(target).collect();
    assert_eq!(test.writer.room(0), MIB / 4);
    let more: Vec<_> = (64..1024).map(target).collect();
    assert_eq!(test.writer.room(0), MIB / 16, "the least");
    drop((others, more));
    assert_eq!(test.writer.room(0), MIB);
    assert!(!test.disk.has_started(), "none had anything to do");
}

#[test]
fn after_a_fault_nothing_is_carried_out_and_the_owner_is_told() {
    let test = test();
    for command in ["a", "fail", "b"] {
        test.writer.push(command, 10);
    }
    test.go_on();
    test.go_on();
    test.notified.recv_timeout(NET).unwrap();
    let fault = test.writer.fault().unwrap();
    assert_eq!(fault.io_kind(), std::io::ErrorKind::StorageFull);
    test.writer.push("c", 10);
    settle(&test.disk);
    assert_eq!(test.notes(), ["a", "fail", "dropped httpoll-disk"]);
    assert_eq!(test.writer.room(0), MIB);
    assert!(test.writer.is_done());
}

#[test]
fn dropping_the_owner_discards_the_queue_and_the_worker_drops_the_target() {
    let test = test();
    for _ in 0..3 {
        test.writer.push("a", 10);
    }
    drop(test.writer);
    test.gate.send(()).unwrap();
    settle(&test.disk);
    let notes = test.notes.lock().unwrap().clone();
    let (last, carried_out) = notes.split_last().unwrap();
    assert_eq!(last, "dropped httpoll-disk");
    assert!(carried_out.len() <= 1, "{notes:?}");
}

#[test]
fn an_owner_that_holds_bytes_back_is_told_even_if_the_queue_is_short() {
    let test = test();
    let least = 64 * 1024;
    let target = |_| {
        let (_, gate) = channel();
        let notes = Arc::default();
        WriteBehind::new(&test.disk, Notes { notes, gate }, Arc::new(|| {}))
    };
    let others: Vec<_> = (1..1024).map(target).collect();
    test.writer.push("a", least / 2);
    assert_eq!(test.writer.room(least / 2), 0);
    test.go_on();
    test.notified.recv_timeout(NET).unwrap();
    assert_eq!(test.writer.room(least / 2), least / 2);
    drop(others);
    settle(&test.disk);
}
