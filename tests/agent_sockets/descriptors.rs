//! A process that has no file descriptors left.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;

use httpoll::error::{ErrorKind, NetworkFault};
use httpoll::{Agent, Download, Error, Response};

use crate::Folder;
use crate::few_descriptors::with_few_descriptors;

#[test]
fn an_agent_without_file_descriptors_fails_requests_and_works_when_there_are_some_again() {
    with_few_descriptors(run_out_and_recover);
}

fn run_out_and_recover() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        // A listener without descriptors fails for a while.
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
                    stream.write_all(response).unwrap();
                }
            });
        }
    });
    let folder = Folder::new("descriptors");
    let mut agent = Agent::new();
    let handle = agent.get(&url).send().unwrap();
    agent.wait_for(handle).unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    let download = |agent: &mut Agent| -> Result<Response, Error> {
        let request = agent
            .get(&url)
            .download_to(Download::to(folder.0.join("file")));
        let handle = request.send()?;
        agent.wait_for(handle)
    };
    for _ in 0..2 {
        let error = download(&mut agent).unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::Network(NetworkFault::System),
            "{error}"
        );
    }
    let mut connect = || {
        // Nothing listens there, but without a descriptor nobody can know.
        let handle = agent.get("http://127.0.0.1:1/").send().unwrap();
        agent.wait_for(handle).unwrap_err()
    };
    let error = connect();
    assert_eq!(
        *error.kind(),
        ErrorKind::Network(NetworkFault::System),
        "{error}"
    );
    drop(files);
    let refused = ErrorKind::Network(NetworkFault::ConnectFailed);
    assert_eq!(*connect().kind(), refused);
    assert_eq!(download(&mut agent).unwrap().saved().unwrap().bytes, 2);
}
