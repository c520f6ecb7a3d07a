//! Runs every attack on a server that must withstand it, and on one without protection, on which the
//! attack must succeed, because otherwise it would prove nothing.

use crate::attacks::{ATTACKS, Started, Target, Verdict, keys};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

#[test]
fn every_promise_holds() {
    let logs = tempfile::tempdir().unwrap();
    for attack in ATTACKS {
        let log = logs.path().join(attack.name);
        let program = Path::new(env!("CARGO_BIN_EXE_squab"));
        let server = Started::for_attack(program, &attack.server, &log).unwrap();
        let report = attack.on(&server.target);
        assert_eq!(report.verdict(), Verdict::Held, "{}: {report}", attack.name);
    }
}

#[test]
fn a_server_that_believes_everything_does_not_hold() {
    let address = credulous_server();
    let log = tempfile::NamedTempFile::new().unwrap();
    for attack in ATTACKS {
        let target = Target {
            address: address.clone(),
            log: Some(log.path().to_owned()),
            keys: keys(attack.server.credentials).unwrap(),
        };
        let report = attack.on(&target);
        // It sends and logs nothing, so there is nothing to find.
        let expected = match attack.name {
            "secrets-in-logs" | "hanging-endpoints" => Verdict::NotTried,
            _ => Verdict::DidNotHold,
        };
        assert_eq!(report.verdict(), expected, "{}: {report}", attack.name);
    }
}

/// A server that says yes to every request, and repeats it.
fn credulous_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let mut request = [0; 8192];
            let length = stream.read(&mut request).unwrap_or(0);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(&request[..length]);
        }
    });
    address
}
