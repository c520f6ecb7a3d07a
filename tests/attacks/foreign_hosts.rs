//! DNS rebinding: the name of a malicious page resolves to the server, so that the browser treats the
//! server as the page's own.

use super::frame::{FORM, Report, Target};
use std::io;

const REQUESTS: &[(&str, &[&str], &str)] = &[
    ("POST /", &[FORM], "Action=ListQueues"),
    ("GET /?Action=ListQueues", &[], ""),
    ("GET /metrics", &[], ""),
    ("GET /health", &[], ""),
    ("GET /_localstack/health", &[], ""),
    ("GET /_aws/sqs/messages?QueueUrl=http://localhost/000000000000/attack-none", &[], ""),
];

const HOSTS: &[&str] = &[
    "evil.example:4566",
    "localhost.evil.example",
    "127.0.0.1.evil.example:4566",
    "localhost@evil.example",
    "evil.example.:4566",
];

pub fn run(target: &Target, report: &mut Report) -> io::Result<()> {
    for (line, headers, body) in REQUESTS {
        let control =
            target.send(line, &[*headers, &["User-Agent: Mozilla/5.0"]].concat(), body)?;
        if control.status == 403 {
            report.untried(format!("{line} is rejected of everyone"));
            continue;
        }
        for host in HOSTS {
            let named = format!("Host: {host}");
            let origin = format!("Origin: http://{host}");
            for marks in [
                // A browser that says where it comes from only over a trustworthy connection.
                &["User-Agent: Mozilla/5.0"][..],
                &["Sec-Fetch-Site: same-origin"],
                &["User-Agent: Mozilla/5.0", "Sec-Fetch-Site: same-origin", &origin],
                // A page that changes its User-Agent cannot change its Origin.
                &["User-Agent: curl/8.0", &origin],
            ] {
                let head = [*headers, marks, &[&named]].concat();
                let status = target.send(line, &head, body)?.status;
                report.attempt(format!("{line} of {host} with {marks:?}: {status}"), status == 403);
            }
        }
    }
    Ok(())
}
