//! Connections that end between the poll of the sockets and the request that is sent over them. Only a read
//! notices that. A request that must not be sent twice is sent once all the same, over a new connection.

use std::io::{self, Read, Write};

use httpoll::memory::{MemoryNetwork, MemoryStream};
use httpoll::node::RequestBody;
use httpoll::{Agent, Request};

use crate::support::{address, finish, frames};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Does something when its content is read, which is in the middle of a poll.
struct Meanwhile<F: FnMut()>(F, &'static [u8]);

impl<F: FnMut()> Read for Meanwhile<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        (self.0)();
        self.1.read(into)
    }
}

/// How a server ends its connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Close,
    Reset,
}

struct Test {
    network: MemoryNetwork,
    agent: Agent,
}

impl Test {
    fn new() -> Self {
        let network = MemoryNetwork::new();
        for (name, at) in [("a.example", "10.9.3.1:80"), ("b.example", "10.9.3.2:80")] {
            network.add_name(name, &[address(at).ip()]);
            network.listen(address(at));
        }
        Self {
            agent: Agent::on_memory(&network),
            network,
        }
    }

    /// Opens a connection to this host by a GET, and returns the server's end of it.
    fn warm_up(&mut self, host: &str, at: &str) -> MemoryStream {
        let get = self.agent.get(format!("http://{host}.example/")).send();
        let get = get.unwrap();
        frames(&self.network, &mut self.agent, 3);
        let mut stream = self.network.accept(address(at)).unwrap();
        answer(&mut stream);
        finish(&self.network, &mut self.agent, &get).response();
        stream
    }
}

/// Reads what is there and responds. Returns whether there was a request.
fn answer(stream: &mut MemoryStream) -> bool {
    let mut request = [0; 4096];
    let count = stream.read(&mut request).unwrap_or_default();
    if count > 0 {
        stream.write_all(OK).unwrap();
    }
    count > 0
}

#[test]
fn a_request_that_must_not_be_sent_twice_notices_that_its_connection_has_ended() {
    let post = || Request::post("http://b.example/");
    let once = || RequestBody::reader(&b"once"[..], Some(4));
    for ending in [Ending::Close, Ending::Reset] {
        for (name, request) in [
            ("POST", post().text("1")),
            ("POST from a reader", post().body(once())),
            (
                "PUT from a reader",
                Request::put("http://b.example/").body(once()),
            ),
        ] {
            let mut test = Test::new();
            let _a = test.warm_up("a", "10.9.3.1:80");
            let mut b = Some(test.warm_up("b", "10.9.3.2:80"));
            let ends = move || match (b.take(), ending) {
                (Some(stream), Ending::Reset) => stream.reset(),
                (stream, _) => drop(stream),
            };
            let put = Request::put("http://a.example/")
                .body(RequestBody::reader(Meanwhile(ends, b"x"), Some(1)));
            // Both start in the next poll: the content of the first is read after the sockets were polled,
            // and before the second is sent.
            let _put = test.agent.send(put).unwrap();
            let other = test.agent.send(request).unwrap();
            frames(&test.network, &mut test.agent, 3);
            let anew = test.network.accept(address("10.9.3.2:80"));
            let mut anew = anew.unwrap_or_else(|| panic!("{name} {ending:?}: no new connection"));
            assert!(answer(&mut anew), "{name} {ending:?}");
            let outcome = finish(&test.network, &mut test.agent, &other);
            assert_eq!(outcome.response().text(), "hi", "{name} {ending:?}");
        }
    }
}
