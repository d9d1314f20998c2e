//! Files that are none on Windows.

use super::*;

#[test]
fn a_file_that_means_something_else_is_refused() {
    let folder = Folder::new("reserved");
    let mut agent = Agent::new();
    for name in ["NUL", r"aux\events", "events:stream", "events."] {
        let file = folder.0.join(name);
        let error = Outbox::open(&mut agent, &file, "http://game.example/").unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::File(DiskFault::ReservedName));
        assert_eq!(error.path(), Some(&*file));
    }
}
