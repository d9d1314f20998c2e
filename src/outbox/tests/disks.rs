//! Disks that are full, files that other programs remove, and paths that name something other than a file.

use super::*;

/// Runs frames until a batch is on its way.
fn until_sending(world: &mut World, outbox: &mut Outbox) {
    while world.server.requests().is_empty() {
        world.frames(outbox, 1);
    }
}

#[test]
fn a_batch_that_was_taken_is_not_sent_again_because_the_disk_is_full() {
    for status in [204, 400] {
        let folder = Folder::new("settle-full");
        let mut world = World::new(&[status]);
        let mut outbox = world.open(&folder).interval(Duration::ZERO);
        outbox.push(&event(1)).unwrap();
        until_sending(&mut world, &mut outbox);
        let disk = world.agent.disk().unwrap();
        disk.fail_at(Some(DiskStep::Write));
        world.frames(&mut outbox, 200);
        assert_eq!(world.server.requests().len(), 1, "{status}");
        let state = outbox.state();
        assert_eq!(
            (state.waiting, state.bytes, state.is_sending),
            (0, 0, false)
        );
        let counts = if status == 204 { (1, 0) } else { (0, 1) };
        assert_eq!((state.sent, state.losses.refused), counts);
        let fault = outbox.last_error().unwrap().kind().clone();
        assert!(
            matches!(fault, ErrorKind::File(fault) if fault.is_storage_full()),
            "{fault}"
        );
        // What could not be written is written with the next event: the next run does not send it again either.
        disk.fail_at(None);
        outbox.push(&event(2)).unwrap();
        world.until_sent(&mut outbox);
        outbox.push(&event(3)).unwrap();
        let mut world = World::with(&[], world.taken);
        drop(outbox);
        let mut outbox = world.open(&folder).interval(Duration::ZERO);
        world.until_sent(&mut outbox);
        let taken = world.taken.lock().unwrap();
        assert_eq!(taken.events, BTreeMap::from([(2, 1), (3, 1)]));
        assert_eq!(world.server.requests().len(), 1);
    }
}

#[test]
fn a_disk_that_cannot_be_written_loses_events_and_counts_them() {
    let folder = Folder::new("disk");
    let mut world = World::new(&[]);
    let mut outbox = world.open(&folder);
    outbox.push(&event(1)).unwrap();
    let disk = world.agent.disk().unwrap();
    disk.fail_at(Some(DiskStep::Write));
    outbox.push(&event(2)).unwrap();
    world.frames(&mut outbox, 1);
    assert_eq!(outbox.state().losses.write_failed, 1);
    assert!(matches!(
        outbox.last_error().unwrap().kind(),
        ErrorKind::File(_)
    ));
    disk.fail_at(None);
    outbox.push(&event(3)).unwrap();
    world.until_sent(&mut outbox);
    assert_eq!(
        world.taken.lock().unwrap().events,
        BTreeMap::from([(1, 1), (3, 1)])
    );
}

#[test]
fn an_event_that_was_written_does_not_count_as_lost_because_the_file_could_not_become_smaller() {
    let folder = Folder::new("shrink-full");
    let mut world = World::new(&[500; 100]);
    let limits = OutboxLimits {
        bytes: 100,
        ..OutboxLimits::default()
    };
    let mut outbox = world.open(&folder).limits(limits);
    outbox.push(&event(0)).unwrap();
    world.frames(&mut outbox, 1);
    world.agent.disk().unwrap().fail_at(Some(DiskStep::Rename));
    for number in 1..100 {
        outbox.push(&event(number)).unwrap();
        world.frames(&mut outbox, 1);
    }
    let state = outbox.state();
    assert_eq!((state.written, state.losses.write_failed), (100, 0));
    assert!(matches!(
        outbox.last_error().unwrap().kind(),
        ErrorKind::File(DiskFault::Io {
            step: DiskStep::Rename,
            ..
        })
    ));
    assert!(!folder.0.join("telemetry.outbox.new").exists());
}

/// Windows does not remove a file that is open.
#[cfg(unix)]
#[test]
fn a_file_that_another_program_removes_is_written_anew() {
    for is_replaced in [false, true] {
        let folder = Folder::new("removed");
        let mut world = World::new(&[500; 100]);
        let mut outbox = world.open(&folder).interval(Duration::ZERO);
        outbox.push(&event(1)).unwrap();
        until_sending(&mut world, &mut outbox);
        let key = world.server.requests()[0]
            .header("idempotency-key")
            .map(str::to_owned);
        std::fs::remove_dir_all(&folder.0).unwrap();
        if is_replaced {
            std::fs::create_dir(&folder.0).unwrap();
            std::fs::write(folder.file(), "something else").unwrap();
        }
        outbox.push(&event(2)).unwrap();
        world.frames(&mut outbox, 1);
        assert_eq!(outbox.state().losses.write_failed, 0);
        drop(outbox);
        // The next run finds both events, and the batch that may have been sent.
        let mut world = World::with(&[], world.taken);
        let mut outbox = world.open(&folder).interval(Duration::ZERO);
        world.until_sent(&mut outbox);
        let taken = world.taken.lock().unwrap();
        assert_eq!(taken.events, BTreeMap::from([(1, 1), (2, 1)]));
        let first = &world.server.requests()[0];
        assert_eq!(first.header("idempotency-key"), key.as_deref());
    }
}

#[cfg(unix)]
#[test]
fn a_file_of_another_outbox_in_place_of_the_removed_one_stays() {
    let folder = Folder::new("removed-used");
    let mut world = World::new(&[500; 100]);
    let mut outbox = world.open(&folder);
    outbox.push(&event(1)).unwrap();
    world.frames(&mut outbox, 1);
    std::fs::remove_file(folder.file()).unwrap();
    let mut other = world.open(&folder);
    other.push(&event(2)).unwrap();
    world.frames(&mut other, 1);
    let text = std::fs::read_to_string(folder.file()).unwrap();
    outbox.push(&event(3)).unwrap();
    world.frames(&mut outbox, 1);
    assert_eq!(
        *outbox.last_error().unwrap().kind(),
        ErrorKind::File(DiskFault::AlreadyInUse)
    );
    assert_eq!(std::fs::read_to_string(folder.file()).unwrap(), text);
}

#[cfg(all(target_os = "linux", feature = "patch"))]
#[test]
fn a_folder_a_pipe_or_a_socket_is_no_file_for_events() {
    let folder = Folder::new("no-file");
    std::fs::create_dir_all(&folder.0).unwrap();
    let pipe = folder.0.join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
    let socket = folder.0.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [folder.0.clone(), pipe, socket] {
        let mut world = World::new(&[]);
        let mut outbox =
            Outbox::open(&mut world.agent, &path, "http://game.example/events").unwrap();
        outbox.push(&event(1)).unwrap();
        world.frames(&mut outbox, 1);
        assert_eq!(
            *outbox.last_error().unwrap().kind(),
            ErrorKind::File(DiskFault::NotAFile),
            "{}",
            path.display()
        );
        assert_eq!(outbox.state().losses.write_failed, 1);
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_only_where_the_caller_named_them() {
    let folder = Folder::new("links");
    std::fs::create_dir_all(&folder.0).unwrap();
    let victim = folder.0.join("victim");
    std::fs::write(&victim, "precious").unwrap();
    let real = folder.0.join("real");
    std::os::unix::fs::symlink("real", folder.file()).unwrap();
    // It was planted where the file is written anew.
    std::os::unix::fs::symlink(&victim, folder.0.join("real.new")).unwrap();
    std::os::unix::fs::symlink(&victim, folder.0.join("telemetry.outbox.new")).unwrap();
    let mut world = World::new(&[]);
    let mut outbox = world.open(&folder);
    outbox.push(&event(1)).unwrap();
    outbox.push(&event(2)).unwrap();
    world.frames(&mut outbox, 1);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert!(
        std::fs::symlink_metadata(folder.file())
            .unwrap()
            .is_symlink()
    );
    assert!(std::fs::symlink_metadata(&real).unwrap().is_file());
    world.until_sent(&mut outbox);
    assert_eq!(outbox.state().sent, 2);
}
