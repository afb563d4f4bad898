//! Real processes for tests: a test starts its own binary again, and the copy runs the same test in another role.

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};

const ROLE: &str = "TENANTKIT_TEST_ROLE";

/// The role of this process; `None` in the process that the test harness started.
pub(super) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A number that was given to this role.
pub(super) fn number(name: &str) -> u64 {
    text(name).parse().unwrap()
}

/// A text that was given to this role.
pub(super) fn text(name: &str) -> String {
    text_if_given(name).unwrap()
}

/// A text that may have been given to this role.
pub(super) fn text_if_given(name: &str) -> Option<String> {
    std::env::var(format!("{ROLE}_{name}")).ok()
}

/// Starts `test` (its path in the crate) once more, as `role`, with these values.
pub(super) fn start(test: &str, role: &str, values: &[(&str, String)]) -> Child {
    command(test, role, values).stdin(Stdio::null()).spawn().unwrap()
}

fn command(test: &str, role: &str, values: &[(&str, String)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    for (name, value) in values {
        command.env(format!("{ROLE}_{name}"), value);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// A role that halts at every place until it is let go on. A signal would not do: it stops a process of several threads
/// only some time later.
pub(super) struct Halting {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Halting {
    /// Starts `test` once more with a role that calls [`halt`].
    pub(super) fn start(test: &str, role: &str, values: &[(&str, String)]) -> Self {
        let mut child = command(test, role, values).stdin(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until it halts; where, or `None` when it has ended well.
    pub(super) fn next_halt(&mut self) -> Option<String> {
        loop {
            match self.lines.next() {
                None => {
                    assert!(self.child.wait().unwrap().success());
                    return None;
                }
                Some(line) => {
                    if let Some(place) = line.unwrap().strip_prefix('@') {
                        return Some(place.to_owned());
                    }
                }
            }
        }
    }

    /// Lets it go on.
    pub(super) fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }
}

/// Halts here until the process that started this one lets it go on.
pub(super) fn halt(place: &str) {
    report(format_args!("{place}"));
    std::io::stdin().read_exact(&mut [0]).unwrap();
}

/// Sends a role's result to the process that started it.
pub(super) fn report(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout();
    // The harness writes to the same stream, so a line of ours begins anew and is marked.
    writeln!(out, "\n@{line}").unwrap();
    out.flush().unwrap();
}

/// Waits for the end of a role that has to succeed; what it reported.
pub(super) fn finish(child: Child) -> Vec<String> {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}: {text}", output.status);
    text.lines().filter_map(|line| line.strip_prefix('@')).map(String::from).collect()
}

/// Ends this process as `kill -9` does.
pub(super) fn die() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("the process outlived its death")
}

/// Stops this process until somebody continues it.
pub(super) fn stop() {
    kill_process(getpid(), Signal::STOP).unwrap();
}

/// What has become of a role.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Stopped,
    Killed,
    Exited(i32),
}

/// Waits until the role stops or ends.
pub(super) fn wait(child: &Child) -> Fate {
    let (_, status) = waitpid(Some(pid(child)), WaitOptions::UNTRACED).unwrap().unwrap();
    if status.stopped() {
        Fate::Stopped
    } else if status.terminating_signal() == Some(Signal::KILL.as_raw()) {
        Fate::Killed
    } else {
        Fate::Exited(status.exit_status().unwrap_or(-1))
    }
}

/// Lets a stopped role go on.
pub(super) fn proceed(child: &Child) {
    kill_process(pid(child), Signal::CONT).unwrap();
}

/// Waits until the role ends.
pub(super) fn end(mut child: Child) -> Fate {
    let status = child.wait().unwrap();
    match status.signal() {
        Some(signal) if signal == Signal::KILL.as_raw() => Fate::Killed,
        _ => Fate::Exited(status.code().unwrap_or(-1)),
    }
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed()).unwrap()
}

/// Repeatable choices for a test.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}
