//! Warns if the data directory is lost with the container because no volume is mounted.
//!
//! A container starts with its own file system and loses it at its end. The kernel's mount table,
//! `/proc/self/mountinfo`, shows whether the data directory is in that file system or on a volume.
//! Without that table there is no warning.
//!
//! A machine can look like a container: its root may be an overlay (live systems, read-only roots),
//! or it was created from an image and kept the engine's mark. Only processes in a container have a
//! PID namespace other than the kernel's first one.

use std::path::{Path, PathBuf};

use tracing::warn;

use crate::config::{Settings, Storage};

/// File systems that consist of the layers of an image.
const LAYERED: [&str; 3] = ["overlay", "fuse-overlayfs", "aufs"];
/// Files with which engines mark containers, whatever their file system.
const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// The first PID namespace of a kernel, which processes outside containers share. The number is
/// part of the kernel's interface (PROC_PID_INIT_INO).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Logs a warning if the data directory is lost with the container.
pub fn warn_of_loss(settings: &Settings) {
    let Storage::Directory { path, .. } = &settings.storage else { return };
    let Ok(data) = std::fs::canonicalize(path) else { return };
    let Ok(mounts) = std::fs::read_to_string("/proc/self/mountinfo") else { return };
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok();
    let is_marked = MARKS.iter().any(|mark| Path::new(mark).exists());
    if let Some(warning) = warning(&mounts, namespace.as_deref(), is_marked, &data) {
        warn!("{warning}");
    }
}

/// Returns the warning for this directory, given the mount table, the PID namespace of the process,
/// and whether an engine has marked the root as that of a container.
fn warning(mounts: &str, namespace: Option<&Path>, is_marked: bool, data: &Path) -> Option<String> {
    if namespace == Some(Path::new(FIRST_PID_NAMESPACE)) {
        return None;
    }
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let root = holder(&mounts, Path::new("/"))?;
    if !is_marked && !LAYERED.contains(&root.kind) {
        return None;
    }
    let holder = holder(&mounts, data)?;
    let data = data.display();
    if holder.point == root.point {
        return Some(format!(
            "{data} is not on a volume: all queues and messages are lost with this container; mount \
             a volume at {data}, or use --ephemeral"
        ));
    }
    holder.is_anonymous_volume().then(|| {
        format!(
            "the volume at {data} has no name, so the next container will not use it; name one, as \
             in `docker run -v squab:{data}`, or use --ephemeral"
        )
    })
}

/// Returns the mount that contains this path. Of two at the same point the later hides the earlier.
fn holder<'a>(mounts: &'a [Mount<'a>], path: &Path) -> Option<&'a Mount<'a>> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.components().count())
}

/// A line of `/proc/self/mountinfo`, as proc_pid_mountinfo(5) describes it.
struct Mount<'a> {
    /// The directory within the file system that is mounted.
    source: PathBuf,
    /// The mount point.
    point: PathBuf,
    /// The type of the file system.
    kind: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (place, file_system) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(3);
        let (source, point) = (unescape(fields.next()?), unescape(fields.next()?));
        Some(Self { source, point, kind: file_system.split(' ').next()? })
    }

    /// Returns whether a volume is anonymous: Docker and Podman name these by 64 hexadecimal
    /// digits.
    fn is_anonymous_volume(&self) -> bool {
        let names: Vec<_> = self.source.iter().rev().take(3).collect();
        let [data, name, volumes] = names[..] else { return false };
        let name = name.to_string_lossy();
        data == "_data"
            && volumes == "volumes"
            && name.len() == 64
            && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

/// Decodes a path, in which spaces, tabs, line feeds and backslashes are `\` and three octal
/// digits.
fn unescape(field: &str) -> PathBuf {
    let text = [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", r"\")];
    text.iter().fold(field.to_owned(), |text, (code, meant)| text.replace(code, meant)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER: &str = "\
        500 400 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/l\n\
        501 500 0:52 / /proc rw - proc proc rw\n\
        502 500 254:1 /var/lib/docker/volumes/squab/_data /data rw - ext4 /dev/vda1 rw\n\
        503 500 254:1 /srv/my\\040queues /my\\040queues rw - ext4 /dev/vda1 rw\n";
    const MACHINE: &str = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n";

    fn said(mounts: &str, is_marked: bool, data: &str) -> Option<String> {
        warning(mounts, Some(Path::new("pid:[4026532281]")), is_marked, Path::new(data))
    }

    #[test]
    fn a_machine_that_looks_like_a_container_is_none() {
        let machine = Some(Path::new(FIRST_PID_NAMESPACE));
        for (mounts, is_marked) in [(CONTAINER, false), (CONTAINER, true), (MACHINE, true)] {
            let data = Path::new("/srv/squab");
            assert!(warning(mounts, None, is_marked, data).is_some());
            assert_eq!(warning(mounts, machine, is_marked, data), None);
        }
    }

    #[test]
    fn a_directory_in_the_layers_of_a_container_is_told_and_one_on_a_volume_is_not() {
        for lost in ["/var/lib/localstack", "/database", "/"] {
            let warning = said(CONTAINER, false, lost).unwrap();
            assert!(warning.starts_with(&format!("{lost} is not on a volume")), "{warning}");
        }
        for kept in ["/data", "/data/below", "/my queues"] {
            assert_eq!(said(CONTAINER, false, kept), None, "{kept}");
        }
    }

    #[test]
    fn what_is_marked_is_a_container_whatever_its_root_and_a_machine_is_none() {
        assert_eq!(said(MACHINE, false, "/srv/squab"), None);
        assert!(said(MACHINE, true, "/srv/squab").is_some());
    }

    #[test]
    fn a_volume_without_a_name_is_told() {
        let name = "0123456789abcdef".repeat(4);
        let nameless = CONTAINER.replace("volumes/squab", &format!("volumes/{name}"));
        assert!(said(&nameless, false, "/data").unwrap().contains("has no name"));
    }

    #[test]
    fn a_table_that_is_not_understood_says_nothing() {
        for mounts in ["", "\n", "a b c", "500 400 0:50 / / rw", " - ", "1 2 3 4 - "] {
            assert_eq!(said(mounts, true, "/data"), None, "{mounts}");
        }
    }
}
