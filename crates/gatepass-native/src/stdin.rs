//! Lines that a person types or pastes.

use std::thread;

use tokio::sync::mpsc;

use crate::loopback::MOST_QUERY;

/// Lines from standard input, as they come. They end quietly with the input.
///
/// They are read by a thread of their own, which holds up neither the runtime nor the end of the program. On Unix it
/// ends soon after this value is dropped and takes no byte of the next line; elsewhere it stays until one more line
/// came, and that line is lost.
#[derive(Debug)]
pub(crate) struct Lines(mpsc::Receiver<String>);

impl Lines {
    pub(crate) fn from_stdin() -> Self {
        Self::from(|lines| input::read(&std::io::stdin(), lines))
    }

    fn from(read: impl FnOnce(&mpsc::Sender<String>) + Send + 'static) -> Self {
        let (sender, lines) = mpsc::channel(1);
        // Without a thread there are no lines, as at the end of the input.
        let _ = thread::Builder::new().name("gatepass-stdin".to_owned()).spawn(move || read(&sender));
        Self(lines)
    }

    /// The next line; none after the last one.
    ///
    /// # Cancel safety
    /// No line is lost.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.0.recv().await
    }
}

/// What a line may have; the rest is dropped.
const MOST_LINE: usize = 2 * MOST_QUERY;

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(unix)]
mod input {
    use std::os::fd::AsFd;

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        io::{Errno, read as read_some},
    };
    use tokio::sync::mpsc;

    use super::{MOST_LINE, text};

    /// How often to look whether the lines are still wanted.
    const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

    /// Byte by byte, as a shell does it, so that whoever reads the input next finds all that follows the line.
    pub(super) fn read(input: &impl AsFd, lines: &mpsc::Sender<String>) {
        let mut line = Vec::new();
        loop {
            if lines.is_closed() {
                return;
            }
            match poll(&mut [PollFd::new(input, PollFlags::IN)], Some(&PAUSE)) {
                Ok(0) | Err(Errno::INTR) => continue,
                Ok(_) => {}
                Err(_) => return,
            }
            let mut byte = [0];
            match read_some(input, &mut byte) {
                Ok(0) => {
                    if !line.is_empty() {
                        let _ = lines.blocking_send(text(&line));
                    }
                    return;
                }
                Ok(_) if byte == *b"\n" => {
                    if lines.blocking_send(text(&line)).is_err() {
                        return;
                    }
                    line.clear();
                }
                Ok(_) if line.len() < MOST_LINE => line.push(byte[0]),
                Ok(_) | Err(Errno::INTR | Errno::AGAIN) => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(not(unix))]
mod input {
    use std::io::{BufRead, Read, Stdin};

    use tokio::sync::mpsc;

    use super::{MOST_LINE, text};

    pub(super) fn read(input: &Stdin, lines: &mpsc::Sender<String>) {
        loop {
            let mut line = Vec::new();
            let read = input.lock().take(MOST_LINE as u64).read_until(b'\n', &mut line);
            if read.unwrap_or(0) == 0 || lines.blocking_send(text(&line)).is_err() {
                return;
            }
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn lines_come_as_they_are_typed_and_end_with_the_input() {
        let (input, mut typed) = std::io::pipe().unwrap();
        let rest = input.try_clone().unwrap();
        let mut lines = Lines::from(move |lines| input::read(&input, lines));
        typed.write_all(b"one\ntwo\r\n\nthr").unwrap();
        assert_eq!(lines.next().await.as_deref(), Some("one"));
        assert_eq!(lines.next().await.as_deref(), Some("two\r"));
        assert_eq!(lines.next().await.as_deref(), Some(""));
        typed.write_all(b"ee").unwrap();
        drop(typed);
        assert_eq!(lines.next().await.as_deref(), Some("three"));
        assert_eq!(lines.next().await, None);
        assert_eq!({ rest }.read_to_end(&mut Vec::new()).unwrap(), 0);
    }

    #[tokio::test]
    async fn what_follows_is_left_to_the_program() {
        let (input, mut typed) = std::io::pipe().unwrap();
        let mut rest = input.try_clone().unwrap();
        let (ended, end) = tokio::sync::oneshot::channel();
        let mut lines = Lines::from(move |lines| {
            input::read(&input, lines);
            let _ = ended.send(());
        });
        typed.write_all(b"pasted\n").unwrap();
        assert_eq!(lines.next().await.as_deref(), Some("pasted"));
        drop(lines);
        end.await.unwrap();
        typed.write_all(b"for the program\n").unwrap();
        drop(typed);
        let mut text = String::new();
        rest.read_to_string(&mut text).unwrap();
        assert_eq!(text, "for the program\n");
    }
}
