//! The well-behaved client: sends, receives and deletes a message, receives from an empty queue,
//! and now and then checks the health and makes a call, each on a new connection.

use crate::client::{Connection, member, members, request};
use crate::process::Server;
use crate::{Result, now};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Longer than the timeout of any health check.
const PATIENCE: Duration = Duration::from_secs(2);

/// A client with a persistent connection.
pub struct Probe {
    address: String,
    connection: Connection,
}

/// The measurements of a probe.
#[derive(Default)]
pub struct Seen {
    /// The latencies of send, receive and delete together.
    pub cycles: Vec<Duration>,
    /// The latencies of empty receives.
    pub empty: Vec<Duration>,
    /// The answered health checks.
    pub health: Vec<Duration>,
    pub health_asked: usize,
    /// The answered calls on new connections, out of their number.
    pub calls: usize,
    /// The maximum memory of the server, in MiB.
    pub memory: f64,
    /// The number of failed calls, with the last reason.
    failures: usize,
    reason: String,
}

impl Probe {
    /// Connects, and creates its queues.
    pub async fn arrive(address: &str) -> Result<Self> {
        let mut connection = Connection::open(address).await?;
        for name in ["visited", "empty"] {
            let body = format!(r#"{{"QueueName":"{name}"}}"#);
            connection.call(&request(address, "CreateQueue", &body)).await?;
        }
        Ok(Self { address: address.to_owned(), connection })
    }

    /// Runs the client for some time.
    pub async fn look_around(&mut self, time: Duration, server: &Server) -> Seen {
        let mut seen = Seen::default();
        let until = now() + time;
        let mut rounds = 0_u32;
        while now() < until {
            if let Err(error) = self.once(&mut seen).await {
                seen.failures += 1;
                seen.reason = error.to_string();
                // The server may close a connection at any time; a client opens another.
                if let Ok(Ok(connection)) = timeout(PATIENCE, Connection::open(&self.address)).await
                {
                    self.connection = connection;
                }
            }
            if rounds.is_multiple_of(20) {
                seen.health_asked += 1;
                let began = now();
                if let Ok(Ok(true)) = timeout(PATIENCE, is_healthy(&self.address)).await {
                    seen.health.push(began.elapsed());
                }
                let call = request(&self.address, "GetQueueUrl", r#"{"QueueName":"empty"}"#);
                let answered =
                    async { Connection::open(&self.address).await?.call(&call).await.map(drop) };
                seen.calls += usize::from(matches!(timeout(PATIENCE, answered).await, Ok(Ok(()))));
                seen.memory = seen.memory.max(server.resident_mib().unwrap_or_default());
            }
            rounds += 1;
            sleep(Duration::from_millis(5)).await;
        }
        seen
    }

    async fn once(&mut self, seen: &mut Seen) -> Result<()> {
        let queue = |name: &str| format!(r#""QueueUrl":"http://localhost/000000000000/{name}""#);
        let began = now();
        let body = format!(r#"{{{},"MessageBody":"hello"}}"#, queue("visited"));
        self.call("SendMessage", &body).await?;
        let body = format!("{{{}}}", queue("visited"));
        let answer = self.call("ReceiveMessage", &body).await?;
        let find = member("ReceiptHandle");
        let handle = members(&answer, &find).next().ok_or("no message")?;
        let handle = String::from_utf8_lossy(handle);
        let body = format!(r#"{{{},"ReceiptHandle":"{handle}"}}"#, queue("visited"));
        self.call("DeleteMessage", &body).await?;
        seen.cycles.push(began.elapsed());
        let began = now();
        let body = format!("{{{}}}", queue("empty"));
        self.call("ReceiveMessage", &body).await?;
        seen.empty.push(began.elapsed());
        Ok(())
    }

    async fn call(&mut self, action: &str, body: &str) -> Result<Vec<u8>> {
        let request = request(&self.address, action, body);
        // A minute is longer than any attack, so the call counts however long it takes.
        let answer = timeout(Duration::from_mins(1), self.connection.call(&request)).await??;
        Ok(answer.to_vec())
    }
}

async fn is_healthy(address: &str) -> Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

impl Seen {
    /// Returns the failures, for the end of a row.
    pub fn trouble(&self) -> String {
        match self.failures {
            0 => String::new(),
            failures => format!(" the client: {failures} failures, the last: {} |", self.reason),
        }
    }
}

/// Returns a quantile of some durations, if there are any.
pub fn quantile(times: &[Duration], quantile: f64) -> Option<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    let last = times.len().checked_sub(1)?;
    times.get((last as f64 * quantile).round() as usize).copied()
}
