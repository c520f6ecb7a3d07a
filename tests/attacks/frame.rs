//! What an attack is, what it is made against, and what it reports.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An attack on one promise.
pub struct Attack {
    /// Its name on the command line and in reports.
    pub name: &'static str,
    /// What the server promises, as one sentence.
    pub promise: &'static str,
    /// The server that is started where none is given.
    pub server: Setup,
    /// Makes the attempts. An error means that the server could not be reached, or did not answer.
    pub run: fn(&Target, &mut Report) -> io::Result<()>,
}

impl Attack {
    /// Runs it and returns what it came to; failures of the connection are part of that.
    pub fn on(&self, target: &Target) -> Report {
        let mut report = Report::default();
        if let Err(error) = (self.run)(target, &mut report) {
            report.untried(format!("the attack could not go on: {error}"));
        }
        report
    }
}

/// How a server is started for an attack: beside an address, a state in memory and a log.
pub struct Setup {
    /// Arguments of the program.
    pub arguments: &'static [&'static str],
    /// Variables of its environment, which is empty but for these.
    pub environment: &'static [(&'static str, &'static str)],
}

/// A server under attack.
pub struct Target {
    /// `HOST:PORT`
    pub address: String,
    /// Where it writes its log, if that can be read here.
    pub log: Option<PathBuf>,
}

impl Target {
    /// A server that runs already, at `http://HOST:PORT`.
    pub fn at(url: &str, log: Option<PathBuf>) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { address, log }
    }

    /// Sends a request on a connection of its own: a line such as `POST /`, headers such as
    /// `Origin: null`, and a body. A `Host` is added where the headers have none.
    pub fn send(&self, line: &str, headers: &[&str], body: &str) -> io::Result<Answer> {
        let length = format!("Content-Length: {}", body.len());
        self.send_raw(line, &[headers, &[&length]].concat(), body)
    }

    /// Sends the head of a request that announces a body which never comes.
    pub fn send_head(&self, line: &str, headers: &[&str]) -> io::Result<Answer> {
        self.send_raw(line, &[headers, &["Content-Length: 100000"]].concat(), "")
    }

    /// Calls an operation of AWS Query and returns the answer.
    pub fn call(&self, parameters: &str) -> io::Result<Answer> {
        self.send("POST /", &[FORM], parameters)
    }

    fn send_raw(&self, line: &str, headers: &[&str], body: &str) -> io::Result<Answer> {
        let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|header| header.starts_with("Host:")) {
            request.push_str(&format!("Host: {}\r\n", self.address));
        }
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        request.push_str(body);
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut bytes = Vec::new();
        // A server that answers before it has read the body may cut the connection after that.
        if let Err(error) = stream.read_to_end(&mut bytes)
            && bytes.is_empty()
        {
            return Err(error);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer but {text:?}")))?;
        Ok(Answer { status, text })
    }
}

/// The header of a call in AWS Query.
pub const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// What a server has answered.
pub struct Answer {
    pub status: u16,
    /// Head and body.
    pub text: String,
}

impl Answer {
    /// Returns what stands between this start and this end in the answer.
    pub fn between(&self, start: &str, end: &str) -> Option<&str> {
        let (_, rest) = self.text.split_once(start)?;
        rest.split_once(end).map(|(found, _)| found)
    }
}

/// What an attack came to.
#[derive(Debug, Default)]
pub struct Report {
    attempts: usize,
    breaches: Vec<String>,
    untried: Vec<String>,
}

/// Whether a promise has held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every attempt failed.
    Held,
    /// An attempt succeeded.
    DidNotHold,
    /// An attempt could not be made, and none succeeded.
    NotTried,
}

impl Report {
    /// An attempt, and whether the server withstood it.
    pub fn attempt(&mut self, what: impl fmt::Display, held: bool) {
        self.attempts += 1;
        if !held {
            self.breaches.push(what.to_string());
        }
    }

    /// An attempt that could not be made, and why.
    pub fn untried(&mut self, why: impl fmt::Display) {
        self.untried.push(why.to_string());
    }

    /// Returns what it all came to.
    pub fn verdict(&self) -> Verdict {
        if !self.breaches.is_empty() {
            Verdict::DidNotHold
        } else if self.attempts == 0 || !self.untried.is_empty() {
            Verdict::NotTried
        } else {
            Verdict::Held
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = self.attempts;
        match self.verdict() {
            Verdict::Held => write!(f, "held ({attempts} attempts)")?,
            Verdict::DidNotHold => {
                write!(f, "DID NOT HOLD ({} of {attempts} attempts)", self.breaches.len())?;
            }
            Verdict::NotTried => write!(f, "not tried")?,
        }
        let breaches = self.breaches.iter().map(|what| ("succeeded", what));
        let untried = self.untried.iter().map(|why| ("not tried", why));
        breaches.chain(untried).try_for_each(|(how, what)| write!(f, "\n    {how}: {what}"))
    }
}
