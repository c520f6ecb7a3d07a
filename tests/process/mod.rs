//! The built program as a process: started, called over HTTP, and ended.

use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// Returns whether this process runs the test `name` (its full path) and no other. If not, runs it
/// in such a process, and panics if it fails there. For tests of what a process has once: its log.
pub fn runs_alone(name: &str) -> bool {
    const ALONE: &str = "SQUAB_TEST_ALONE";
    if std::env::var(ALONE).is_ok_and(|alone| alone == name) {
        return true;
    }
    let own = std::env::current_exe().unwrap();
    let run = Command::new(own).args([name, "--exact", "--nocapture"]).env(ALONE, name).output();
    let run = run.unwrap();
    let output = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{output}{}", String::from_utf8_lossy(&run.stderr));
    assert!(output.contains("1 passed"), "there is no test {name}: {output}");
    false
}

/// The program with nothing of this process's environment.
pub fn squab(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_squab"));
    command.env_clear().args(arguments);
    command
}

/// Runs the program to its end, and returns its exit status and what it said on standard error.
pub fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = squab(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A server that has said `Ready.`; it is killed when dropped.
pub struct Server {
    process: Child,
    pub address: String,
    /// Reads what is logged, so that the server never has to wait for that.
    log: JoinHandle<String>,
}

impl Server {
    /// Starts a server on a free port with this storage and these settings.
    pub fn start(command: &mut Command) -> Self {
        Self::try_start(command).unwrap_or_else(|logged| panic!("ended before it served: {logged}"))
    }

    /// Starts a server whose settings say where it listens.
    pub fn start_where_it_listens(command: &mut Command) -> Self {
        let started = Self::try_start_as_it_is(command);
        started.unwrap_or_else(|logged| panic!("ended before it served: {logged}"))
    }

    /// Waits until it says `Ready.` once more.
    pub fn wait_until_ready(&mut self) {
        let mut ready = [0; 7];
        self.process.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        assert_eq!(&ready, b"Ready.\n");
    }

    /// The same, of a server that may end before it serves: then what it logged.
    pub fn try_start(command: &mut Command) -> Result<Self, String> {
        Self::try_start_as_it_is(command.args(["--listen", "127.0.0.1:0"]))
    }

    fn try_start_as_it_is(command: &mut Command) -> Result<Self, String> {
        let mut process = command
            .args(["--log-format", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut logged = String::new();
        while !logged.contains("squab is serving") {
            if log.read_line(&mut logged).unwrap() == 0 {
                process.wait().unwrap();
                return Err(logged);
            }
        }
        let line = logged.lines().last().unwrap();
        let line: Value = serde_json::from_str(line).unwrap();
        let address = line["listen"].as_str().unwrap().to_owned();
        let mut ready = [0; 7];
        if process.stdout.as_mut().unwrap().read_exact(&mut ready).is_err() {
            process.wait().unwrap();
            return Err(logged);
        }
        assert_eq!(&ready, b"Ready.\n");
        let log = std::thread::spawn(move || {
            log.read_to_string(&mut logged).unwrap();
            logged
        });
        Ok(Self { process, address, log })
    }

    /// A connection to it.
    pub fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    /// A connection to it, if it is still there.
    pub fn try_connect(&self) -> Option<Connection> {
        Connection::try_open(&self.address).ok()
    }

    /// Asks it to end, with SIGTERM.
    pub fn ask_to_end(&self) {
        let asked = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(asked.success());
    }

    /// Ends it with SIGTERM and returns its exit status, what it printed after `Ready.`, and all
    /// that it logged.
    pub fn terminate(self) -> (Option<i32>, String, String) {
        self.ask_to_end();
        self.wait()
    }

    /// Waits until it has ended by itself, and returns the same.
    pub fn wait(mut self) -> (Option<i32>, String, String) {
        let mut printed = String::new();
        self.process.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        let status = self.process.wait().unwrap().code();
        let nothing = std::thread::spawn(String::new);
        let logged = std::mem::replace(&mut self.log, nothing).join().unwrap();
        (status, printed, logged)
    }

    /// Ends it with SIGKILL, which leaves it no time for anything.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection that is kept open from one request to the next.
pub struct Connection {
    stream: BufReader<TcpStream>,
    /// Names and values of the last answer, as they came.
    headers: Vec<(String, String)>,
    /// A header line for each request.
    authorization: String,
}

/// Status and body of an answer.
pub type Answer = (u16, String);

impl Connection {
    /// Connects.
    pub fn open(address: &str) -> Self {
        Self::try_open(address).unwrap()
    }

    /// Connects if a server listens.
    pub fn try_open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        // Longer than any answer takes: a test that fails is better than one that hangs.
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        Ok(Self {
            stream: BufReader::new(stream),
            headers: Vec::new(),
            authorization: String::new(),
        })
    }

    /// Sends these bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// The same connection, for another thread or to close half of it.
    pub fn another_end(&self) -> TcpStream {
        self.stream.get_ref().try_clone().unwrap()
    }

    /// Makes further calls name this access key and this region, with a signature that is wrong.
    pub fn act_as(&mut self, access_key_id: &str, region: &str) {
        self.authorization = format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={access_key_id}/20260102/{region}/sqs/aws4_request, \
             SignedHeaders=host, Signature=0\r\n"
        );
    }

    /// Sends a call in AWS JSON.
    pub fn send(&mut self, operation: &str, input: &Value) -> std::io::Result<()> {
        let body = input.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: AmazonSQS.{operation}\r\n{}Content-Length: {}\r\n\r\n{body}",
            self.authorization,
            body.len()
        );
        self.write(request.as_bytes())
    }

    /// Calls an operation of SNS with these parameters. An error means that the connection broke.
    pub fn sns(&mut self, action: &str, parameters: &[(&str, &str)]) -> std::io::Result<Answer> {
        let mut body = format!("Version=2010-03-31&Action={action}");
        for (name, value) in parameters {
            let value =
                percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC);
            write!(body, "&{name}={value}").unwrap();
        }
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{}Content-Length: {}\r\n\r\n{body}",
            self.authorization,
            body.len()
        );
        self.write(request.as_bytes())?;
        self.read()
    }

    /// Reads one response: its head up to the empty line, and a body of the length in the head.
    pub fn read(&mut self) -> std::io::Result<Answer> {
        let ended = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        let mut status = None;
        let mut length = 0;
        self.headers.clear();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(ended());
            }
            let line = line.trim_end();
            if status.is_none() {
                let word = line.split(' ').nth(1).unwrap_or_else(|| panic!("{line:?}"));
                status = Some(word.parse().unwrap());
            } else if let Some((name, value)) = line.split_once(": ") {
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.parse().unwrap();
                }
                self.headers.push((name.to_owned(), value.to_owned()));
            } else if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status.ok_or_else(ended)?, String::from_utf8(body).unwrap()))
    }

    /// A header of the last answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|header| header.0.eq_ignore_ascii_case(name)).map(|header| header.1.as_str())
    }

    /// Calls an operation in AWS JSON. An error means that the connection broke, so it is unknown whether
    /// the call took effect.
    pub fn call(&mut self, operation: &str, input: &Value) -> std::io::Result<Answer> {
        self.send(operation, input)?;
        self.read()
    }

    /// Calls an operation, which must succeed, and returns its output.
    pub fn ok(&mut self, operation: &str, input: &Value) -> Value {
        let (status, body) = self.call(operation, input).unwrap();
        assert_eq!(status, 200, "{operation} {input}: {body}");
        if body.is_empty() { Value::Null } else { serde_json::from_str(&body).unwrap() }
    }
}
