//! Whether the database is on a file system of this machine. SQLite needs locks and shared memory, which network file
//! systems do not provide reliably.

use std::path::{Path, PathBuf};

const NETWORK: [&str; 18] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "glusterfs",
    "gpfs",
    "lustre",
    "ncpfs",
    "ocfs2",
    "orangefs",
    "virtiofs",
    "vboxsf",
    "davfs",
];
const NETWORK_FUSE: [&str; 10] =
    ["sshfs", "glusterfs", "ceph", "s3fs", "rclone", "gcsfuse", "blobfuse", "davfs2", "nfs", "smbnetfs"];

/// The type of the network file system that holds `path`; `None` if it is local, or unknown.
pub(super) fn network_type(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let path = std::fs::canonicalize(path).or_else(|_| std::fs::canonicalize(folder)).ok()?;
    type_of(&mounts, &path).filter(|name| is_network(name))
}

/// Whether the file has a hard link.
pub(super) fn has_other_names(path: &Path) -> bool {
    #[cfg(unix)]
    return std::fs::metadata(path)
        .is_ok_and(|file| file.is_file() && std::os::unix::fs::MetadataExt::nlink(&file) > 1);
    #[cfg(not(unix))]
    return false;
}

fn is_network(name: &str) -> bool {
    match name.strip_prefix("fuse.") {
        Some(program) => NETWORK_FUSE.contains(&program),
        None => NETWORK.contains(&name),
    }
}

/// The type of the last mount over the longest part of `path`. `mounts` has the format of proc_pid_mountinfo(5).
fn type_of(mounts: &str, path: &Path) -> Option<String> {
    let mount = |line: &str| {
        let (mount, source) = line.split_once(" - ")?;
        let point = PathBuf::from(unescape(mount.split(' ').nth(4)?));
        Some((point, source.split(' ').next()?.to_owned()))
    };
    let covering = mounts.lines().filter_map(mount).filter(|(point, _)| path.starts_with(point));
    covering.max_by_key(|(point, _)| point.components().count()).map(|(_, name)| name)
}

/// A space in a path is written as `\040`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:41 / /var/lib/reconnectd rw - nfs4 nas:/export rw
41 40 0:42 / /var/lib/reconnectd/local rw - tmpfs tmpfs rw
42 22 0:43 / /mnt/my\\040share rw - fuse.sshfs host: rw
";

    #[test]
    fn the_longest_mount_point_decides() {
        for (path, expected) in [
            ("/etc/x.db", Some("ext4")),
            ("/var/lib/reconnectd/x.db", Some("nfs4")),
            ("/var/lib/reconnectd/local/x.db", Some("tmpfs")),
            ("/var/lib/reconnectd2/x.db", Some("ext4")),
            ("/mnt/my share/x.db", Some("fuse.sshfs")),
        ] {
            assert_eq!(type_of(MOUNTS, Path::new(path)).as_deref(), expected, "{path}");
        }
        assert!(
            is_network("nfs4") && is_network("fuse.sshfs") && !is_network("ext4") && !is_network("fuse.ext4")
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_hard_link_is_a_second_name() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("x.db"), folder.path().join("y.db"));
        std::fs::write(&file, "").unwrap();
        assert!(!has_other_names(&file));
        std::fs::hard_link(&file, &link).unwrap();
        assert!(has_other_names(&file) && has_other_names(&link));
    }
}
