//! The frame of an attack: its target, its attempts, and its report.

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use serde::Deserialize;
use squab::runtime::clock::{Clock, SystemClock};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

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
    /// The text of its credentials file; empty for a server without keys.
    pub credentials: &'static str,
}

/// A server that needs no keys and no arguments.
pub const OPEN: Setup = Setup { arguments: &["--auth", "off"], environment: &[], credentials: "" };

/// A key with which requests can be signed.
#[derive(Debug, Clone, Deserialize)]
pub struct Key {
    #[serde(rename = "access_key_id")]
    pub id: String,
    #[serde(rename = "secret_access_key")]
    pub secret: String,
    /// Its account, if the file names one.
    pub account: Option<String>,
}

/// Returns the keys of a credentials file with tables `[[credential]]`.
pub fn keys(file: &str) -> Result<Vec<Key>, toml::de::Error> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        credential: Vec<Key>,
    }
    toml::from_str::<File>(file).map(|file| file.credential)
}

/// A server under attack.
pub struct Target {
    /// `HOST:PORT`
    pub address: String,
    /// Where it writes its log, if that can be read here.
    pub log: Option<PathBuf>,
    /// Keys that it knows, in the order of its credentials file.
    pub keys: Vec<Key>,
}

impl Target {
    /// A server that runs already, at `http://HOST:PORT`.
    pub fn at(url: &str, log: Option<PathBuf>, keys: Vec<Key>) -> Self {
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self { address, log, keys }
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

    /// Returns the headers of a request with those of its signature by Signature Version 4, for a
    /// service such as `sqs` in us-east-1.
    pub fn signed(
        &self,
        key: &Key,
        service: &str,
        line: &str,
        headers: &[&str],
        body: &str,
    ) -> io::Result<Vec<String>> {
        let (method, path) = line.split_once(' ').ok_or_else(|| io::Error::other("no path"))?;
        let (id, secret) = (&key.id, &key.secret);
        let identity =
            aws_credential_types::Credentials::new(id, secret, None, None, "attack").into();
        let now_ms = u64::try_from(SystemClock.now_ms()).map_err(io::Error::other)?;
        let params = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name(service)
            .time(UNIX_EPOCH + Duration::from_millis(now_ms))
            .settings(SigningSettings::default())
            .build()
            .map_err(io::Error::other)?
            .into();
        let pairs = headers.iter().filter_map(|header| header.split_once(": "));
        let uri = format!("http://{}{path}", self.address);
        let request =
            SignableRequest::new(method, uri, pairs, SignableBody::Bytes(body.as_bytes()));
        let request = request.map_err(io::Error::other)?;
        let signature = sign(request, &params).map_err(io::Error::other)?.into_parts().0;
        let added = signature.headers().map(|(name, value)| format!("{name}: {value}"));
        Ok(headers.iter().map(|header| (*header).to_owned()).chain(added).collect())
    }

    fn send_raw(&self, line: &str, headers: &[&str], body: &str) -> io::Result<Answer> {
        let own_host = format!("Host: {}", self.address);
        let has_host = headers.iter().any(|header| header.starts_with("Host:"));
        let host = (!has_host).then_some(own_host.as_str());
        let first = format!("{line} HTTP/1.1");
        let head = [first.as_str(), "Connection: close"].into_iter().chain(host);
        let head: Vec<&str> = head.chain(headers.iter().copied()).collect();
        let request = format!("{}\r\n\r\n{body}", head.join("\r\n"));
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
