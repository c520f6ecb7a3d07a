//! The compat image as the modules of Testcontainers use it: how they start it, what they wait for, and
//! which settings they pass. The scripts of the image run here outside a container.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A file of the image.
fn of_image(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docker").join(name)
}

/// A container: a folder in which the program is found by its name, and the process in it.
struct Container {
    folder: TempDir,
    process: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Container {
    /// Runs this command, which has to say `Ready.` before anything else on standard output.
    fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::run_after(arguments, variables, |_| {})
    }

    /// The same; something is done to its folder when it runs.
    fn run_after(arguments: &[&str], variables: &[(&str, &str)], act: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_squab"), folder.path().join("squab")).unwrap();
        let mut process = Self::command(arguments[0], folder.path())
            .args(&arguments[1..])
            .envs([("SQUAB_LISTEN", "127.0.0.1:0"), ("SQUAB_LOG_FORMAT", "json")])
            .env("SQUAB_EPHEMERAL", "true")
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        act(folder.path());
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, "Ready.\n");
        let log = BufReader::new(process.stderr.take().unwrap());
        // It was said before that line.
        let address = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find_map(|line| Some(line["listen"].as_str()?.to_owned()))
            .unwrap();
        Self { folder, process, stdout, address }
    }

    fn command(program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        command
    }

    /// Status and body of the answer to one request. The body of HEAD is empty.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The URL of a new queue, for a client that knows the server by this host and port.
    fn queue_url(&self, host: &str) -> String {
        let headers = format!(
            "Host: {host}\r\nContent-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Target: AmazonSQS.CreateQueue\r\n"
        );
        let (status, body) = self.ask("POST", "/", &headers, r#"{"QueueName":"orders"}"#);
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        body["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// What the image's health check says.
    fn is_healthy(&self) -> bool {
        let mut check = Self::command(env!("CARGO_BIN_EXE_squab"), self.folder.path());
        check.arg("health").env("SQUAB_COMPAT", "localstack").env("SQUAB_LISTEN", &self.address);
        check.output().unwrap().status.success()
    }

    /// Ends it as `docker stop` does; returns what it printed since, and its exit status.
    fn stop(&mut self) -> (String, ExitStatus) {
        let asked = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(asked.success());
        let mut printed = String::new();
        self.stdout.read_to_string(&mut printed).unwrap();
        (printed, self.process.wait().unwrap())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Whatever it has started ends with it, as in a container. An error means that all have
        // ended.
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}

/// The entrypoint as the image has it.
fn entrypoint() -> String {
    of_image("docker-entrypoint.sh").to_str().unwrap().to_owned()
}

#[test]
fn go_dotnet_python_and_rust_start_it_without_arguments_and_find_it_healthy_once_it_is_ready() {
    let container = Container::run(&[&entrypoint()], &[]);
    let host = "Host: localhost:32768\r\n";
    let (status, body) = container.ask("GET", "/_localstack/health", host, "");
    assert_eq!(status, 200);
    assert!(body.contains(r#""sqs": "running""#), "{body}");
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(health["services"]["sns"], "running");
    assert!(health["version"].as_str().unwrap().starts_with("4."), "{health}");
    let head = container.ask("HEAD", "/_localstack/health", host, "");
    assert_eq!(head, (200, String::new()));
}

#[test]
fn java_replaces_the_entrypoint_and_brings_the_script_that_starts_it_later() {
    let wait =
        "while [ ! -f testcontainers_start.sh ]; do sleep 0.1; done; ./testcontainers_start.sh";
    let container = Container::run_after(&["sh", "-c", wait], &[], |folder| {
        let script = format!("#!/bin/bash\nexport LOCALSTACK_HOST=127.0.0.1\n{}\n", entrypoint());
        let file = folder.join("script");
        std::fs::write(&file, script).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o777)).unwrap();
        std::fs::rename(file, folder.join("testcontainers_start.sh")).unwrap();
    });
    // Only the clients of the module know the mapped port.
    assert_eq!(
        container.queue_url("127.0.0.1:49153"),
        "http://127.0.0.1:49153/000000000000/orders"
    );
    assert!(container.is_healthy());
}

#[test]
fn node_names_a_host_without_the_port_and_queue_urls_have_the_port_nevertheless() {
    for host in ["localhost", "localstack"] {
        let container = Container::run(&[&entrypoint()], &[("LOCALSTACK_HOST", host)]);
        for caller in ["localhost:49154", "localstack:4566"] {
            let expected = format!("http://{caller}/000000000000/orders");
            assert_eq!(container.queue_url(caller), expected);
        }
    }
}

#[test]
fn the_health_check_of_the_image_follows_the_server_and_its_end() {
    let mut container = Container::run(&[&entrypoint()], &[]);
    assert!(container.is_healthy());
    let (printed, status) = container.stop();
    assert_eq!((printed.as_str(), status.code()), ("", Some(0)));
    assert!(!container.is_healthy());
}
