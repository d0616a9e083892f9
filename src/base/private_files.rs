//! Files that only the daemon's user may read and write.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Creates a file with mode 0600, whatever the umask. A file that root creates belongs to the owner of its directory:
/// otherwise a command that root runs would lock the daemon out.
///
/// # Errors
/// The file exists, for example.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        if let Some((user, group)) = rightful_owner(path, &file.metadata()?)? {
            warn_if_kept(path, std::os::unix::fs::fchown(&file, Some(user), Some(group)));
        }
    }
    Ok(file)
}

/// Why a file was not replaced.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// It is as before.
    NotAtAll(io::Error),
    /// It has the new content, which a loss of power could undo.
    MaybeNotDurable(io::Error),
}

/// Puts `content` in the place of a file, with the same owner and mode. At any moment, also of a crash, the file has
/// either content. A symlink stays, and its target changes.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Replaced> {
    let swap = || {
        let path = fs::canonicalize(path)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let temporary = path.with_file_name(name);
        // Of a replacement that was killed.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let written = write_like(&temporary, content, &fs::metadata(&path)?);
        written.and_then(|()| fs::rename(&temporary, &path)).inspect_err(|_| {
            // What remains is readable for the owner only, and the next replacement deletes it.
            let _ = fs::remove_file(&temporary);
        })?;
        Ok(path)
    };
    let path = swap().map_err(Replaced::NotAtAll)?;
    sync_folder(&path).map_err(Replaced::MaybeNotDurable)
}

/// Creates a file with the owner and the mode of another one.
fn write_like(path: &Path, content: &[u8], like: &Metadata) -> io::Result<()> {
    let mut file = create_new(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let created = file.metadata()?;
        if (created.uid(), created.gid()) != (like.uid(), like.gid()) {
            fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.set_permissions(like.permissions())?;
    }
    file.write_all(content)?;
    file.sync_all()
}

/// Makes a new name durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Creates a directory with mode 0700 and its missing parents. One that exists stays as it is.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Ok(()) => {}
        Err(_) if path.is_dir() => return Ok(()),
        Err(error) => return Err(error),
    }
    #[cfg(unix)]
    if let Some((user, group)) = rightful_owner(path, &fs::symlink_metadata(path)?)? {
        // Unlike `chown`, it follows no symlink that somebody put in place meanwhile.
        warn_if_kept(path, std::os::unix::fs::lchown(path, Some(user), Some(group)));
    }
    Ok(())
}

/// Whether other users can read or write a file, or its group can write it. The group may read it: a mounted Kubernetes
/// secret belongs to root and is readable for the group. Pipes and devices are not judged.
#[cfg(unix)]
pub(crate) fn is_exposed(file: &Metadata) -> bool {
    file.is_file() && std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o026 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_exposed(_: &Metadata) -> bool {
    false
}

/// The user and the group of the directory, if root created the file and the directory is somebody else's.
#[cfg(unix)]
fn rightful_owner(path: &Path, created: &Metadata) -> io::Result<Option<(u32, u32)>> {
    use std::os::unix::fs::MetadataExt;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = fs::metadata(directory)?;
    Ok((created.uid() == 0 && directory.uid() != 0).then(|| (directory.uid(), directory.gid())))
}

/// Root without the capability, as in some containers, keeps the file and can use it.
#[cfg(unix)]
fn warn_if_kept(path: &Path, changed: io::Result<()>) {
    if let Err(error) = changed {
        tracing::warn!(
            event = "file_owner_not_set", path = %path.display(), %error,
            "cannot give the file to the owner of its directory"
        );
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_for_their_user_and_their_group_may_read_them_at_most() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        create_new(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert!(create_new(&path).is_err());
        for (mode, exposed) in [
            (0o400, false),
            (0o600, false),
            (0o440, false),
            (0o640, false),
            (0o604, true),
            (0o602, true),
            (0o622, true),
            (0o620, true),
            (0o660, true),
            (0o644, true),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_exposed(&fs::metadata(&path).unwrap()), exposed, "{mode:o}");
        }
        let directory = folder.path().join("deep/outbox");
        create_dir(&directory).unwrap();
        assert_eq!(mode(&directory), 0o700);
        create_dir(&directory).unwrap();
        assert!(create_dir(&path).is_err());
    }

    #[test]
    fn a_replaced_file_keeps_its_owner_its_mode_and_its_symlink() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("secret"), folder.path().join("link"));
        create_new(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        // Only root can give a file away.
        let is_given = chown(&path, Some(1234), Some(5678)).is_ok();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        fs::write(folder.path().join("secret.new"), "of one that was killed").unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let file = fs::metadata(&path).unwrap();
        assert!(!is_given || (file.uid(), file.gid()) == (1234, 5678));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file remains");
    }

    #[test]
    fn what_root_creates_belongs_to_the_owner_of_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        // Only root can give a directory away.
        if chown(folder.path(), Some(1234), Some(5678)).is_err() {
            return;
        }
        let (file, directory) = (folder.path().join("file"), folder.path().join("directory"));
        create_new(&file).unwrap();
        create_dir(&directory).unwrap();
        for path in [file, directory] {
            let owner = fs::metadata(path).unwrap();
            assert_eq!((owner.uid(), owner.gid()), (1234, 5678));
        }
    }
}
