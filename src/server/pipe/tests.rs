#![allow(clippy::unwrap_used)]

use super::*;

fn pipe(capacity: usize) -> (Arc<WakeQueue>, Arc<Pipe>) {
    let wake_queue = Arc::new(WakeQueue::default());
    let id = ConnectionId { slot: 1, serial: 1 };
    (
        Arc::clone(&wake_queue),
        Pipe::new(wake_queue, id, capacity, None),
    )
}

fn taken(pipe: &Pipe) -> Vec<Bytes> {
    std::iter::from_fn(|| match pipe.take() {
        Taken::Bytes(bytes) => Some(bytes),
        _ => None,
    })
    .collect()
}

#[test]
fn the_latest_of_a_key_wins_and_the_rest_keeps_its_order() {
    let (_wake_queue, pipe) = pipe(100);
    let key: Arc<str> = "position".into();
    for (bytes, key) in [
        ("a", None),
        ("p1", Some(&key)),
        ("b", None),
        ("p2", Some(&key)),
        ("c", None),
    ] {
        pipe.push(Bytes::from_static(bytes.as_bytes()), key.cloned())
            .unwrap();
    }
    // In the place of the old piece; otherwise a slow client would never get it.
    assert_eq!(taken(&pipe), ["a", "p2", "b", "c"]);
    assert_eq!(pipe.queued(), 0);
}

#[test]
fn a_full_queue_refuses_or_drops_its_oldest() {
    let (_wake_queue, pipe) = pipe(4);
    assert_eq!(pipe.push("larger than all".into(), None), Ok(()));
    assert_eq!(pipe.push("x".into(), None), Err(SendError::Full));
    assert_eq!(pipe.room(), 0);
    assert_eq!(taken(&pipe).len(), 1);
    for piece in ["12", "34", "56"] {
        push_dropping(&pipe, piece, None);
    }
    assert_eq!(
        (pipe.dropped(), taken(&pipe)),
        (1, vec!["34".into(), "56".into()])
    );
}

#[test]
fn small_pieces_fill_a_queue_before_their_bytes_do() {
    let (_wake_queue, pipe) = pipe(20 * PIECE_BYTES);
    let key: Arc<str> = "position".into();
    pipe.push("p".into(), Some(Arc::clone(&key))).unwrap();
    for _ in 1..20 {
        pipe.push("x".into(), None).unwrap();
    }
    assert_eq!(pipe.push("x".into(), None), Err(SendError::Full));
    assert_eq!((pipe.room(), pipe.queued()), (0, 20));
    // What replaces a piece needs no place of its own.
    pipe.push("q".into(), Some(key)).unwrap();
    push_dropping(&pipe, "y", None);
    assert_eq!(pipe.dropped(), 1);
    let taken = taken(&pipe);
    assert_eq!(
        (taken.len(), &taken[0][..], &taken[19][..]),
        (20, &b"q"[..], &b"y"[..])
    );
}

fn push_dropping(pipe: &Pipe, piece: &'static str, key: Option<&Arc<str>>) {
    let item = QueueItem {
        bytes: piece.into(),
        key,
        id: None,
        encode_with_id: &|_| Bytes::new(),
    };
    pipe.push_item(item, WhenFull::DropOldest).unwrap();
}

#[test]
fn pieces_with_a_key_are_dropped_last() {
    let (_wake_queue, pipe) = pipe(6);
    let key: Arc<str> = "position".into();
    push_dropping(&pipe, "p1", Some(&key));
    for piece in ["12", "34", "56"] {
        push_dropping(&pipe, piece, None);
    }
    push_dropping(&pipe, "p234", Some(&key));
    assert_eq!(taken(&pipe), ["p234", "56"]);
}

#[test]
fn a_replacement_that_does_not_fit_keeps_the_old_piece() {
    let (_wake_queue, pipe) = pipe(4);
    let key: Arc<str> = "position".into();
    pipe.push("p1".into(), Some(Arc::clone(&key))).unwrap();
    pipe.push("12".into(), None).unwrap();
    let refused = pipe.push("p2345".into(), Some(key));
    assert_eq!(refused, Err(SendError::Full));
    assert_eq!(taken(&pipe), ["p1", "12"]);
}

#[test]
fn a_replacement_takes_over_the_id_of_the_replaced_event() {
    let (_wake_queue, pipe) = pipe(100);
    let key: Arc<str> = "position".into();
    for (id, data) in [("1", "a"), ("2", "b"), ("3", "c")] {
        let encode = |id: &str| Bytes::from(format!("{id}:{data}"));
        let item = QueueItem {
            bytes: encode(id),
            key: (data != "b").then_some(&key),
            id: Some(id),
            encode_with_id: &encode,
        };
        pipe.push_item(item, WhenFull::Refuse).unwrap();
    }
    assert_eq!(taken(&pipe), ["1:c", "2:b"]);
}

#[test]
fn empty_pieces_end_nothing() {
    let (wake_queue, pipe) = pipe(4);
    pipe.push(Bytes::new(), None).unwrap();
    assert!(!wake_queue.is_rung());
    assert!(matches!(pipe.take(), Taken::Nothing));
    pipe.finish(FieldLines::new());
    assert!(wake_queue.is_rung());
    assert!(matches!(pipe.take(), Taken::Finished(_)));
    assert_eq!(pipe.push("x".into(), None), Err(SendError::Closed));
}
