//! A child process. It never outlives its test, and its output is collected while it runs.

use super::{PATIENCE, until};
use std::{
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// A running process. It is killed on drop.
pub(crate) struct Running {
    child: Child,
    stdout: Output,
    stderr: Output,
}

pub(crate) struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

struct Output {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts the program with nothing to read.
    pub(crate) fn start(command: Command) -> Self {
        Self::start_with_input(command, "")
    }

    /// Starts the program with `input` on its standard input.
    pub(crate) fn start_with_input(command: Command, input: &str) -> Self {
        let (running, mut pipe) = Self::start_with_pipe(command);
        // A command that fails before it reads closes the pipe.
        let _ = pipe.write_all(input.as_bytes());
        running
    }

    /// Starts the program. Its standard input ends when the pipe is dropped.
    pub(crate) fn start_with_pipe(mut command: Command) -> (Self, ChildStdin) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let pipe = child.stdin.take().unwrap();
        let stdout = Output::collect(child.stdout.take().unwrap());
        let stderr = Output::collect(child.stderr.take().unwrap());
        (Self { child, stdout, stderr }, pipe)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        // A signal cannot be sent without unsafe code, and every shell can send one.
        let command = format!("kill -{name} {}", self.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{name} was not sent");
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        self.left_behind(status)
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn stopped(self) -> Ended {
        self.terminate();
        self.ended().await
    }

    pub(crate) async fn ended(self) -> Ended {
        self.ended_within(PATIENCE).await
    }

    /// Fails the test if the process is still running after `limit`.
    pub(crate) async fn ended_within(mut self, limit: Duration) -> Ended {
        let since = Instant::now();
        let status = until("a process to end", async || self.child.try_wait().unwrap()).await;
        assert!(since.elapsed() < limit, "it took {:?} to end:\n{}", since.elapsed(), self.stderr());
        self.left_behind(status)
    }

    fn left_behind(&mut self, status: ExitStatus) -> Ended {
        Ended {
            code: status.code(),
            signal: status.signal(),
            stdout: self.stdout.whole(),
            stderr: self.stderr.whole(),
        }
    }
}

impl Drop for Running {
    #[expect(clippy::print_stdout, reason = "it belongs to the output of the test that fails")]
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let (id, stdout, stderr) = (self.id(), self.stdout.whole(), self.stderr.whole());
            println!("-- process {id} --\n{stdout}\n{stderr}");
        }
    }
}

impl Output {
    fn collect(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut piece) {
                kept.lock().unwrap().extend_from_slice(&piece[..read]);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// The whole output. The process must have ended.
    fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}

impl Ended {
    /// Asserts that it exited with code 0.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!((self.code, self.signal), (Some(0), None), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts the exit code, and that standard error contains each of the phrases and repeats no cause.
    #[track_caller]
    pub(crate) fn badly(self, code: i32, saying: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        for words in saying {
            assert!(self.stderr.contains(words), "{words:?} is not in\n{}", self.stderr);
        }
        for line in self.stderr.lines().filter(|line| line.starts_with("reconnectd: ")) {
            let causes: Vec<&str> = line.split(": ").filter(|cause| cause.contains(' ')).collect();
            let is_repeated = |at: usize| causes[..at].iter().any(|earlier| earlier.ends_with(causes[at]));
            assert!(!(1..causes.len()).any(is_repeated), "it says something twice: {line}");
        }
        self
    }

    /// Parses standard output as one JSON object a line.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let lines = self.stdout.lines().map(serde_json::from_str).collect::<Result<Vec<_>, _>>();
        let lines = lines.unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout));
        assert!(lines.iter().all(serde_json::Value::is_object), "{}", self.stdout);
        lines
    }
}
