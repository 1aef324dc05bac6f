use std::{
    fmt,
    io::{self, IsTerminal, Write},
    time::Duration,
};

use crate::{
    qr::qr,
    steps::{ShowSteps, Step},
};

/// Shows a sign-in in the terminal.
///
/// ```
/// use gatepass_native::{ShowSteps, Terminal};
///
/// let show = Terminal::stderr();
/// # fn check(_: impl ShowSteps) {}
/// # check(show);
/// ```
///
/// Where no browser was opened, the address comes on a line of its own that reads `open: ` and the address, so that
/// another program can pick it up. A QR code and a line that counts the time are shown to people only: when the output
/// is a terminal, and one that is wide enough. No control character that came from the network is printed.
pub struct Terminal {
    output: Box<dyn Write + Send>,
    /// Of the terminal; none when it is none.
    columns: Option<usize>,
    waiting: Waiting,
    is_stderr: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waiting {
    /// Not said yet.
    #[default]
    Unsaid,
    /// Said once, not to be repeated.
    Said,
    /// A line that is written over again and again: its characters, and how often it was.
    Turning { width: usize, turn: usize },
}

/// What a line of the server may have. Addresses are longer than they should be.
const MOST_URL: usize = 16 * 1024;
const MOST_CODE: usize = 64;
const MOST_TEXT: usize = 400;

impl Terminal {
    /// On standard error, where it does not mix with what the program prints.
    pub fn stderr() -> Self {
        let stderr = io::stderr();
        let columns = columns(&stderr);
        let mut terminal = Self::on(stderr, columns);
        terminal.is_stderr = true;
        terminal
    }

    /// On standard output; on standard error from when that cannot be written to.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        let columns = columns(&stdout);
        Self::on(stdout, columns)
    }

    fn on(output: impl Write + Send + 'static, columns: Option<usize>) -> Self {
        Self { output: Box::new(output), columns, waiting: Waiting::default(), is_stderr: false }
    }

    fn open(&mut self, url: &str, browser: &Result<(), String>, paste: bool) -> io::Result<()> {
        let url = printable(url, MOST_URL);
        match browser {
            Ok(()) => writeln!(
                self.output,
                "A browser was opened to sign in. If you do not see it, open this address yourself:\n{url}"
            )?,
            Err(why) => {
                writeln!(self.output, "No browser was opened: {}.\nopen: {url}", printable(why, MOST_TEXT))?;
            }
        }
        if paste {
            // The counting would write over what is typed.
            self.waiting = Waiting::Said;
            writeln!(
                self.output,
                "If the browser runs on another machine, it ends at a page that does not load: paste its address here."
            )?;
        }
        Ok(())
    }

    fn device(
        &mut self,
        verification_uri: &str,
        complete: Option<&str>,
        user_code: &str,
        expires_in: Duration,
    ) -> io::Result<()> {
        let code = printable(user_code, MOST_CODE);
        writeln!(self.output, "To sign in, open this address on any device:\n")?;
        writeln!(self.output, "    {}\n", printable(verification_uri, MOST_URL))?;
        writeln!(self.output, "and enter this code, which is valid for {}:\n", words(expires_in))?;
        if self.columns.is_some() {
            let line = "─".repeat(code.chars().count() + 6);
            writeln!(self.output, "    ┌{line}┐\n    │   {code}   │\n    └{line}┘\n")?;
        } else {
            writeln!(self.output, "    {code}\n")?;
        }
        let target = complete.unwrap_or(verification_uri);
        let is_web = target.starts_with("https://") || target.starts_with("http://");
        if let Some(drawn) = self.columns.filter(|_| is_web).and_then(|columns| qr(target, columns)) {
            match complete {
                Some(_) => writeln!(self.output, "Or scan this, and compare the code:\n")?,
                None => writeln!(self.output, "Or scan the address:\n")?,
            }
            writeln!(self.output, "{drawn}\n")?;
        }
        Ok(())
    }

    fn wait(&mut self, elapsed: Duration, left: Option<Duration>) -> io::Result<()> {
        let (Some(columns), Waiting::Unsaid | Waiting::Turning { .. }) = (self.columns, self.waiting) else {
            if self.waiting == Waiting::Unsaid {
                self.waiting = Waiting::Said;
                writeln!(self.output, "Waiting for the sign-in ...")?;
            }
            return Ok(());
        };
        let (before, turn) = match self.waiting {
            Waiting::Turning { width, turn } => (width, turn),
            _ => (0, 0),
        };
        let sign = ['|', '/', '-', '\\'][turn % 4];
        let left = left.map(|left| format!(", {} left", clock(left))).unwrap_or_default();
        let line = format!("{sign} Waiting for the sign-in, {}{left}", clock(elapsed));
        // In the last column it might wrap.
        let line: String = line.chars().take(columns.saturating_sub(1)).collect();
        let width = line.chars().count();
        write!(self.output, "\r{line}{}", " ".repeat(before.saturating_sub(width)))?;
        self.waiting = Waiting::Turning { width, turn: turn.wrapping_add(1) };
        Ok(())
    }

    /// Takes the line back that counts the time.
    fn clear(&mut self) -> io::Result<()> {
        if let Waiting::Turning { width, .. } = self.waiting {
            self.waiting = Waiting::Unsaid;
            write!(self.output, "\r{}\r", " ".repeat(width))?;
        }
        Ok(())
    }

    fn try_show(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::Waiting { elapsed, left } => self.wait(*elapsed, *left)?,
            step => {
                self.clear()?;
                match step {
                    Step::Open { url, browser, paste } => self.open(url, browser, *paste)?,
                    Step::Device { verification_uri, verification_uri_complete, user_code, expires_in } => {
                        self.device(verification_uri, verification_uri_complete.as_deref(), user_code, *expires_in)?;
                    }
                    Step::NotTheCallback { hint } => writeln!(self.output, "{}", printable(hint, MOST_TEXT))?,
                    Step::NotKept { why } => writeln!(
                        self.output,
                        "The sign-in could not be kept, so the next start asks again: {}",
                        printable(why, MOST_TEXT)
                    )?,
                    Step::Ended { succeeded: true } => writeln!(self.output, "Signed in.")?,
                    Step::Ended { succeeded: false } => {}
                    Step::Waiting { .. } => {}
                }
            }
        }
        self.output.flush()
    }
}

impl ShowSteps for Terminal {
    fn show(&mut self, step: Step) {
        if self.try_show(&step).is_err() && !self.is_stderr {
            // Nobody reads the one: closed, full, behind `| head`. Somebody may read the other.
            *self = Self::stderr();
            // Where nobody can be shown anything, the sign-in may still succeed.
            let _ = self.try_show(&step);
        }
    }
}

/// Leaves no half-written line behind.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.clear().and_then(|()| self.output.flush());
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// The width of the terminal that this is; none when it is none, or one that only prints.
#[cfg(unix)]
fn columns(output: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    if !is_for_people(output) {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(output).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0).or(Some(USUAL_COLUMNS))
}

#[cfg(not(unix))]
fn columns(output: &impl IsTerminal) -> Option<usize> {
    is_for_people(output).then_some(USUAL_COLUMNS)
}

const USUAL_COLUMNS: usize = 80;

fn is_for_people(output: &impl IsTerminal) -> bool {
    output.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Text that does nothing to a terminal: control characters, and those that turn or hide text, are replaced.
fn printable(text: &str, most: usize) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    };
    text.chars().take(most).map(|c| if acts(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// As on a clock: `4:05`.
fn clock(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds / 60),
    }
}

#[cfg(test)]
mod tests;
