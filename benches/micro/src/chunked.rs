//! Taking the chunked coding off 1 MiB of content (RFC 9112 §7.1): one chunk, chunks as servers send
//! them, and chunks so small that the coding is most of the work. Content is not copied here, so the
//! first figure is that of a call, not of bytes.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use httpoll::proto::{Exchange, ExchangeEvent};

use crate::head::asked;

const CONTENT: usize = 1 << 20;

#[divan::bench(args = [CONTENT, 16 * 1024, 64])]
fn decode_1_mib_in_chunks_of(bencher: Bencher, size: usize) {
    let mut coded = Vec::new();
    for _ in 0..CONTENT / size {
        coded.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        coded.resize(coded.len() + size, b'x');
        coded.extend_from_slice(b"\r\n");
    }
    coded.extend_from_slice(b"0\r\n\r\n");
    let exchange = in_content();
    bencher
        .counter(BytesCount::new(CONTENT))
        .with_inputs(|| exchange.clone())
        .bench_local_values(|exchange| {
            assert_eq!(decode(exchange, black_box(&coded)), CONTENT);
        });
}

/// The machine of a client that has read the head of a chunked response.
fn in_content() -> Exchange {
    let mut exchange = asked();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let received = exchange.receive(head).unwrap();
    assert_eq!(received.consumed, head.len());
    exchange
}

fn decode(mut exchange: Exchange, mut input: &[u8]) -> usize {
    let mut content = 0;
    loop {
        let received = exchange.receive(input).unwrap();
        input = &input[received.consumed..];
        match received.event {
            Some(ExchangeEvent::Content(range)) => content += black_box(range).len(),
            Some(ExchangeEvent::End { .. }) => return content,
            other => panic!("{other:?} in a whole message"),
        }
    }
}
