//! A mount namespace: what is mounted in it, no other process sees. It needs no root where the system permits user
//! namespaces.

use super::{Running, until_sync};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
};

/// It ends when this is dropped.
pub(crate) struct OwnView {
    keeper: Running,
    _open: ChildStdin,
}

impl OwnView {
    /// Runs `mounts`, a script of the shell, in a new namespace. `None` where the system permits none.
    pub(crate) fn new(mounts: &str) -> Option<Self> {
        let is_permitted = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !is_permitted {
            // Not captured with the output of one test.
            let _ = writeln!(
                std::io::stderr(),
                "\n*** SKIPPED: a test that mounts a disk, because this machine permits no user namespace\n"
            );
            return None;
        }
        let mut command = Command::new("unshare");
        let script = format!("set -e; {mounts}; echo ready; read -r _");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
        let (keeper, open) = Running::start_with_pipe(command);
        until_sync("the view", || keeper.stdout().contains("ready"));
        Some(Self { keeper, _open: open })
    }

    /// How this process, which is outside, reaches a file of the view.
    pub(crate) fn outside(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(path.strip_prefix("/").expect("an absolute path"))
    }

    /// A program that runs in the view, in this folder.
    pub(crate) fn command(&self, folder: &Path, program: &str) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args([
            "--user",
            "--mount",
            "--preserve-credentials",
            "--target",
            &self.keeper.id().to_string(),
        ]);
        inside.args(["sh", "-c", "cd \"$0\" && exec \"$@\""]).arg(folder).arg(program);
        inside
    }

    /// Runs a script of the shell in the view.
    pub(crate) fn run(&self, script: &str) {
        let status = self.command(Path::new("/"), "sh").args(["-c", script]).status();
        assert!(status.expect("nsenter").success(), "{script}");
    }
}

/// A small disk, in a view of its own.
pub(crate) struct SmallDisk {
    pub(crate) view: OwnView,
    folder: PathBuf,
}

impl SmallDisk {
    /// `None` where the system permits none.
    pub(crate) fn mount(folder: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(folder).expect("a folder");
        let mount = format!("mount -t tmpfs -o size={megabytes}m tmpfs '{}'", folder.display());
        Some(Self { view: OwnView::new(&mount)?, folder: folder.to_owned() })
    }

    fn filler(&self) -> PathBuf {
        self.view.outside(&self.folder.join("filler"))
    }

    /// Takes all space that is left.
    pub(crate) fn fill(&self) {
        let mut filler =
            fs::OpenOptions::new().create(true).append(true).open(self.filler()).expect("a file");
        while filler.write_all(&[7; 4096]).is_ok() {}
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.filler()).expect("it is full");
    }
}
