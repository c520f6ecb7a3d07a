//! A disk whose power can be cut: everything that the program does to its files is recorded, and the
//! state after a power cut at any moment can be constructed from that.
//!
//! `shim.c` sits between the program and the C library and writes the journal. After a cut the disk
//! contains everything that was synced before, and any part of the rest: writes may be missing, reordered
//! or torn; files may have their new size and none of their new bytes; created or removed names may be
//! unchanged until their directory was synced.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// Returns a directory in memory, if there is one, because a test writes gigabytes.
pub fn directory() -> TempDir {
    let in_memory = Path::new("/dev/shm");
    let place = if in_memory.is_dir() { in_memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(place).unwrap()
}

/// Returns the compiled shim.
fn shim() -> &'static Path {
    static SHIM: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = SHIM.get_or_init(|| {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("shim.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/disk/shim.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&path)
            .arg(source)
            .status();
        assert!(compiled.unwrap().success());
        (place, path)
    });
    path
}

/// What a test can change while the program runs. The values are offsets in `struct control`.
#[derive(Debug, Clone, Copy)]
enum Control {
    DieAt = 0,
    Room = 8,
    SyncFails = 16,
    Operations = 24,
}

/// A disk under the program.
pub struct Disk {
    place: TempDir,
    control: File,
    journaled: bool,
}

impl Disk {
    /// Returns a disk without faults.
    pub fn new() -> Self {
        Self::with(false)
    }

    /// Returns a disk that records every operation.
    pub fn journaled() -> Self {
        Self::with(true)
    }

    fn with(journaled: bool) -> Self {
        let place = directory();
        std::fs::create_dir(place.path().join("root")).unwrap();
        File::create(place.path().join("journal")).unwrap();
        let control = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(place.path().join("control"))
            .unwrap();
        control.write_all_at(&[0; 32], 0).unwrap();
        Self { place, control, journaled }
    }

    /// Returns the path of a data directory on it, which does not exist yet.
    pub fn data(&self) -> PathBuf {
        self.root().join("srv/data")
    }

    fn root(&self) -> PathBuf {
        self.place.path().join("root")
    }

    /// Configures a program to run on this disk.
    pub fn insert<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("LD_PRELOAD", shim())
            .env("DISK_ROOT", self.root())
            .env("DISK_CONTROL", self.place.path().join("control"));
        if self.journaled {
            command.env("DISK_JOURNAL", self.place.path().join("journal"));
        }
        command
    }

    /// Opens the journal for writing.
    pub fn journal(&self) -> File {
        OpenOptions::new().append(true).open(self.place.path().join("journal")).unwrap()
    }

    /// Returns the journal so far.
    pub fn read_journal(&self) -> Journal {
        Journal::parse(std::fs::read(self.place.path().join("journal")).unwrap(), &self.root())
    }

    /// Returns the number of file operations so far.
    pub fn operations(&self) -> u64 {
        let mut value = [0; 8];
        self.control.read_exact_at(&mut value, Control::Operations as u64).unwrap();
        u64::from_ne_bytes(value)
    }

    /// Kills the program after this many more operations.
    pub fn die_after(&self, operations: u64) {
        self.set(Control::DieAt, self.operations() + 1 + operations);
    }

    /// Lets the program live.
    pub fn let_live(&self) {
        self.set(Control::DieAt, 0);
    }

    /// Lets files grow by this many bytes, or without limit.
    pub fn leave_room(&self, bytes: Option<u64>) {
        self.set(Control::Room, bytes.map_or(0, |bytes| bytes + 1));
    }

    /// Makes every sync fail from now on, or succeed.
    pub fn fail_syncs(&self, fail: bool) {
        self.set(Control::SyncFails, fail.into());
    }

    fn set(&self, control: Control, value: u64) {
        self.control.write_all_at(&value.to_ne_bytes(), control as u64).unwrap();
    }
}

/// A recorded event.
#[derive(Debug, Clone)]
pub enum Record {
    /// The program started.
    Start,
    /// A file or directory was opened.
    Open {
        fd: u32,
        path: String,
        made: bool,
        emptied: bool,
    },
    Write {
        fd: u32,
        offset: u64,
        bytes: Range<usize>,
    },
    Resize {
        fd: u32,
        size: u64,
    },
    Sync {
        fd: u32,
    },
    FailedSync {
        fd: u32,
    },
    Unlink {
        path: String,
    },
    MakeDirectory {
        path: String,
    },
    /// A response to a client starts with these bytes.
    Answer {
        head: Range<usize>,
    },
    /// A client is about to send a request, with this number.
    Begin {
        moment: u64,
    },
}

/// All events in order.
pub struct Journal {
    bytes: Vec<u8>,
    pub records: Vec<Record>,
}

impl Journal {
    fn parse(bytes: Vec<u8>, root: &Path) -> Self {
        let root = root.to_str().unwrap();
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let file = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let path = |range: Range<usize>| {
            let path = std::str::from_utf8(&bytes[range]).unwrap();
            path.strip_prefix(root).unwrap().trim_matches('/').to_owned()
        };
        let mut records = Vec::new();
        let mut at = 0;
        // A killed program may leave half a record.
        while let Some(head) = bytes.get(at..at + 5) {
            let length = u32::from_le_bytes(head[1..5].try_into().unwrap()) as usize;
            let rest = at + 5..at + 5 + length;
            if rest.end > bytes.len() {
                break;
            }
            let first = rest.start;
            records.push(match head[0] {
                b'S' => Record::Start,
                b'O' => Record::Open {
                    fd: file(first),
                    made: number(first + 4) & 1 != 0,
                    emptied: number(first + 4) & 2 != 0,
                    path: path(first + 12..rest.end),
                },
                b'W' => Record::Write {
                    fd: file(first),
                    offset: number(first + 4),
                    bytes: first + 12..rest.end,
                },
                b'T' => Record::Resize { fd: file(first), size: number(first + 4) },
                b'Y' => Record::Sync { fd: file(first) },
                b'F' => Record::FailedSync { fd: file(first) },
                b'U' => Record::Unlink { path: path(rest.clone()) },
                b'M' => Record::MakeDirectory { path: path(rest.clone()) },
                b'A' => Record::Answer { head: rest.clone() },
                b'B' => Record::Begin { moment: number(first) },
                other => panic!("a record {other} at {at}"),
            });
            at = rest.end;
        }
        Self { bytes, records }
    }

    /// Returns the positions of the responses to clients, by request ID.
    pub fn answers(&self) -> HashMap<String, usize> {
        let mut answers = HashMap::new();
        for (position, record) in self.records.iter().enumerate() {
            if let Record::Answer { head } = record {
                let head = String::from_utf8_lossy(&self.bytes[head.clone()]).to_ascii_lowercase();
                if let Some((_, rest)) = head.split_once("x-amzn-requestid: ") {
                    let id = rest.split("\r\n").next().unwrap();
                    answers.entry(id.to_owned()).or_insert(position);
                }
            }
        }
        answers
    }

    /// Returns the positions at which clients sent requests, by number.
    pub fn beginnings(&self) -> HashMap<u64, usize> {
        let beginnings = self.records.iter().enumerate().filter_map(|(position, record)| {
            let Record::Begin { moment } = record else { return None };
            Some((*moment, position))
        });
        beginnings.collect()
    }
}

/// Which of the unsynced writes survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    Nothing,
    Everything,
    /// A prefix that ends in a part of a write.
    Beginning,
    /// Any subset of whole writes.
    Writes,
    /// Any subset of pieces of this many bytes, aligned as on the disk.
    Pieces(u64),
}

impl Left {
    pub const ALL: [Self; 6] = [
        Self::Nothing,
        Self::Everything,
        Self::Beginning,
        Self::Writes,
        Self::Pieces(4_096),
        Self::Pieces(512),
    ];
}

const PAGE: u64 = 4_096;

/// A change of a file that may not be on the disk yet.
#[derive(Debug, Clone)]
struct Change {
    kind: ChangeKind,
    /// A failed sync followed it, so the system may have dropped it.
    forgotten: bool,
}

#[derive(Debug, Clone)]
enum ChangeKind {
    Write { offset: u64, bytes: Range<usize> },
    Resize(u64),
}

#[derive(Debug, Clone, Default)]
struct Inode {
    /// What is on the disk for sure.
    durable: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Node {
    File(usize),
    Directory(String),
}

/// A name that appeared in a directory, with its node, or disappeared.
type NameChange = (String, Option<Node>);

/// The disk at a position of the journal.
pub struct Replay<'j> {
    journal: &'j Journal,
    position: usize,
    /// Whether syncs take effect; otherwise the disk lies.
    honest: bool,
    inodes: Vec<Inode>,
    /// What the program sees.
    names: HashMap<String, Node>,
    /// What is on the disk for sure.
    durable_names: HashMap<String, Node>,
    /// By directory.
    name_changes: HashMap<String, Vec<NameChange>>,
    open: HashMap<u32, Node>,
}

impl<'j> Replay<'j> {
    /// Returns an empty disk. A dishonest one reports syncs that it did not make.
    pub fn new(journal: &'j Journal, honest: bool) -> Self {
        Self {
            journal,
            position: 0,
            honest,
            inodes: Vec::new(),
            names: HashMap::new(),
            durable_names: HashMap::new(),
            name_changes: HashMap::new(),
            open: HashMap::new(),
        }
    }

    /// Applies the journal up to this record, exclusively.
    pub fn advance(&mut self, to: usize) {
        let journal = self.journal;
        for record in &journal.records[self.position..to] {
            self.follow(record);
        }
        self.position = to;
    }

    fn follow(&mut self, record: &Record) {
        match record {
            Record::Start => self.open.clear(),
            Record::Open { fd, path, made, emptied } => {
                if *made {
                    self.inodes.push(Inode::default());
                    self.name(path, Some(Node::File(self.inodes.len() - 1)));
                }
                let node = match self.names.get(path) {
                    Some(node) => node.clone(),
                    // The root, or a directory that existed before.
                    None => Node::Directory(path.clone()),
                };
                self.open.insert(*fd, node);
                if *emptied {
                    self.change(*fd, ChangeKind::Resize(0));
                }
            }
            Record::Write { fd, offset, bytes } => {
                self.change(*fd, ChangeKind::Write { offset: *offset, bytes: bytes.clone() });
            }
            Record::Resize { fd, size } => self.change(*fd, ChangeKind::Resize(*size)),
            Record::Sync { fd } if self.honest => match &self.open[fd] {
                Node::File(inode) => sync(&mut self.inodes[*inode], &self.journal.bytes),
                Node::Directory(path) => {
                    for (name, node) in self.name_changes.remove(path).unwrap_or_default() {
                        put_name(&mut self.durable_names, name, node);
                    }
                }
            },
            Record::FailedSync { fd } => {
                if let Node::File(inode) = &self.open[fd] {
                    for change in &mut self.inodes[*inode].changes {
                        change.forgotten = true;
                    }
                }
            }
            Record::Unlink { path } => self.name(path, None),
            Record::MakeDirectory { path } => {
                self.name(path, Some(Node::Directory(path.clone())));
            }
            Record::Sync { .. } | Record::Answer { .. } | Record::Begin { .. } => {}
        }
    }

    fn name(&mut self, path: &str, node: Option<Node>) {
        put_name(&mut self.names, path.to_owned(), node.clone());
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        self.name_changes.entry(directory.to_owned()).or_default().push((path.to_owned(), node));
    }

    fn change(&mut self, fd: u32, kind: ChangeKind) {
        let Node::File(inode) = self.open[&fd] else { panic!("a directory is written to") };
        self.inodes[inode].changes.push(Change { kind, forgotten: false });
    }

    /// Writes the state of the disk after a power cut now into an empty directory. Names appear and disappear in
    /// order, writes in any order.
    pub fn cut(&self, left: Left, random: &mut fastrand::Rng, into: &Path) {
        let mut names = self.durable_names.clone();
        for changes in self.name_changes.values() {
            let survive = match left {
                Left::Nothing => 0,
                Left::Everything => changes.len(),
                _ => random.usize(..=changes.len()),
            };
            for (name, node) in &changes[..survive] {
                put_name(&mut names, name.clone(), node.clone());
            }
        }
        let mut paths: Vec<_> = names.iter().collect();
        paths.sort_unstable_by_key(|(path, _)| path.len());
        for (path, node) in paths {
            let full = into.join(path);
            // The content of a lost directory is lost.
            if !full.parent().unwrap().is_dir() {
                continue;
            }
            match node {
                Node::Directory(_) => std::fs::create_dir(full).unwrap(),
                Node::File(inode) => {
                    let content = self.inodes[*inode].left(left, random, &self.journal.bytes);
                    std::fs::write(full, content).unwrap();
                }
            }
        }
    }
}

fn put_name(names: &mut HashMap<String, Node>, name: String, node: Option<Node>) {
    match node {
        Some(node) => names.insert(name, node),
        None => names.remove(&name),
    };
}

fn put(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

/// Returns a range of a file in pieces that do not cross multiples of `size`, with the offset of each in the
/// bytes.
fn pieces(offset: u64, bytes: &Range<usize>, size: u64) -> Vec<(u64, Range<usize>)> {
    let mut pieces = Vec::new();
    let (mut at, mut rest) = (offset, bytes.clone());
    while !rest.is_empty() {
        let length = ((size - at % size) as usize).min(rest.len());
        pieces.push((at, rest.start..rest.start + length));
        at += length as u64;
        rest.start += length;
    }
    pieces
}

/// Puts everything on the disk, except pages that the system dropped when an earlier sync failed, and
/// that were not written again.
fn sync(inode: &mut Inode, journal: &[u8]) {
    let changes = std::mem::take(&mut inode.changes);
    let touched: std::collections::HashSet<u64> = changes
        .iter()
        .filter(|change| !change.forgotten)
        .filter_map(|change| match &change.kind {
            ChangeKind::Write { offset, bytes } => {
                Some(*offset / PAGE..=(offset + bytes.len() as u64 - 1) / PAGE)
            }
            ChangeKind::Resize(_) => None,
        })
        .flatten()
        .collect();
    for change in changes {
        match change.kind {
            ChangeKind::Resize(size) => inode.durable.resize(size as usize, 0),
            ChangeKind::Write { offset, bytes } => {
                for (at, piece) in pieces(offset, &bytes, PAGE) {
                    if change.forgotten && !touched.contains(&(at / PAGE)) {
                        let kind = ChangeKind::Write { offset: at, bytes: piece };
                        inode.changes.push(Change { kind, forgotten: true });
                    } else {
                        put(&mut inode.durable, at, &journal[piece]);
                    }
                }
            }
        }
    }
}

impl Inode {
    fn left(&self, left: Left, random: &mut fastrand::Rng, journal: &[u8]) -> Vec<u8> {
        let mut content = self.durable.clone();
        let whole = match left {
            Left::Nothing => 0,
            Left::Beginning => random.usize(..=self.changes.len()),
            _ => self.changes.len(),
        };
        for change in &self.changes[..whole] {
            match &change.kind {
                ChangeKind::Resize(size) => {
                    if !matches!(left, Left::Writes | Left::Pieces(_)) || random.bool() {
                        content.resize(*size as usize, 0);
                    }
                }
                ChangeKind::Write { offset, bytes } => {
                    let size = match left {
                        Left::Pieces(size) => size,
                        _ => u64::MAX,
                    };
                    for (at, piece) in pieces(*offset, bytes, size) {
                        if matches!(left, Left::Everything | Left::Beginning) || random.bool() {
                            put(&mut content, at, &journal[piece]);
                        } else if random.u8(..4) == 0 {
                            // The file is longer, but the new bytes are missing.
                            let end = at as usize + piece.len();
                            content.resize(content.len().max(end), 0);
                        }
                    }
                }
            }
        }
        if left == Left::Beginning
            && let Some(Change { kind: ChangeKind::Write { offset, bytes }, .. }) =
                self.changes.get(whole)
        {
            let torn = bytes.start..random.usize(bytes.clone());
            put(&mut content, *offset, &journal[torn]);
        }
        content
    }
}
