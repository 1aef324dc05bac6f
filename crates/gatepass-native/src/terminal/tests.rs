use std::sync::{Arc, Mutex};

use super::*;

/// A terminal of this width, or a file; and what was written so far.
fn terminal(columns: Option<usize>) -> (Terminal, impl Fn() -> String) {
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let written = Written::default();
    let terminal = Terminal::on(written.clone(), columns);
    (terminal, move || String::from_utf8(written.0.lock().unwrap().clone()).unwrap())
}

fn shown(columns: Option<usize>, steps: impl IntoIterator<Item = Step>) -> String {
    let (mut terminal, written) = terminal(columns);
    steps.into_iter().for_each(|step| terminal.show(step));
    written()
}

fn open(browser: Result<(), &str>, paste: bool) -> Step {
    let url = "https://auth.example.com/authorize?client_id=a&state=b".to_owned();
    Step::Open { url, browser: browser.map_err(str::to_owned), paste }
}

fn device(complete: Option<&str>) -> Step {
    Step::Device {
        verification_uri: "https://auth.example.com/device".to_owned(),
        verification_uri_complete: complete.map(str::to_owned),
        user_code: "WDJB-MJHT".to_owned(),
        expires_in: Duration::from_secs(1800),
    }
}

fn waiting(seconds: u64) -> Step {
    Step::Waiting { elapsed: Duration::from_secs(seconds), left: Some(Duration::from_secs(120 - seconds)) }
}

#[test]
fn without_a_browser_the_address_is_alone_on_its_line() {
    for columns in [None, Some(80)] {
        let text = shown(columns, [open(Err("there is no display"), true)]);
        let line = "open: https://auth.example.com/authorize?client_id=a&state=b";
        assert_eq!(text.lines().filter(|&each| each == line).count(), 1, "{text}");
        assert!(text.starts_with("No browser was opened: there is no display.\n"), "{text}");
        assert!(text.contains("paste"), "{text}");
    }
    assert!(!shown(None, [open(Err("x"), false)]).contains("paste"));
}

#[test]
fn with_a_browser_the_address_is_there_all_the_same() {
    let text = shown(None, [open(Ok(()), false)]);
    assert!(text.lines().any(|line| line == "https://auth.example.com/authorize?client_id=a&state=b"), "{text}");
    assert!(!text.contains("open: "), "{text}");
}

#[test]
fn rfc8628_3_3_the_address_and_the_code_are_shown_beside_the_qr_code() {
    let complete = "https://auth.example.com/device?user_code=WDJB-MJHT";
    for (complete, columns) in [(None, 80), (Some(complete), 80), (Some(complete), 30), (None, 20)] {
        let text = shown(Some(columns), [device(complete)]);
        assert!(text.contains("    https://auth.example.com/device\n"), "{text}");
        assert!(text.contains("│   WDJB-MJHT   │") && text.contains("30 minutes"), "{text}");
        let drawn = qr(complete.unwrap_or("https://auth.example.com/device"), columns);
        assert_eq!(drawn.is_some(), columns == 80);
        assert_eq!(text.contains('█'), drawn.is_some(), "{text}");
        assert!(drawn.is_none_or(|drawn| text.contains(&drawn)), "{text}");
    }
    let file = shown(None, [device(Some(complete))]);
    assert!(file.contains("    WDJB-MJHT\n") && !file.contains('█'), "{file}");
}

#[test]
fn what_the_server_sends_does_nothing_to_the_terminal() {
    let evil = "\u{1b}]0;pwned\u{7}\u{1b}[2J\r\n\u{9b}31m\u{202e}\u{200b}x";
    let steps = [
        Step::Open { url: format!("https://a/{evil}"), browser: Err(evil.to_owned()), paste: true },
        Step::Device {
            verification_uri: format!("https://a/{evil}"),
            verification_uri_complete: Some(format!("https://a/{evil}")),
            user_code: evil.repeat(100),
            expires_in: Duration::MAX,
        },
        Step::NotTheCallback { hint: evil.to_owned() },
    ];
    for columns in [None, Some(200)] {
        for step in steps.clone() {
            let text = shown(columns, [step]);
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
            assert!(!text.contains(['\u{202e}', '\u{200b}']), "{text:?}");
            assert!(!text.lines().any(|line| line.starts_with('x') || line.starts_with("31m")), "{text:?}");
        }
    }
}

#[test]
fn a_file_gets_one_line_of_waiting_and_a_terminal_one_that_counts() {
    let file = shown(None, (0..100).map(waiting));
    assert_eq!(file, "Waiting for the sign-in ...\n");

    let (mut terminal, written) = terminal(Some(80));
    for seconds in [0, 65, 66] {
        terminal.show(waiting(seconds));
    }
    let text = written();
    assert!(text.ends_with("\r- Waiting for the sign-in, 1:06, 0:54 left"), "{text:?}");
    assert!(!text.contains('\n'), "{text:?}");
    terminal.show(Step::Ended { succeeded: true });
    let text = written();
    let (before, after) = text.rsplit_once(" left").unwrap();
    assert!(before.contains("1:06"));
    assert_eq!(after, format!("\r{}\rSigned in.\n", " ".repeat("- Waiting for the sign-in, 1:06, 0:54 left".len())));
}

#[test]
fn a_line_that_counts_is_no_wider_than_the_terminal_and_is_taken_back() {
    let (mut terminal, written) = terminal(Some(20));
    terminal.show(waiting(1));
    assert_eq!(written(), "\r| Waiting for the s");
    drop(terminal);
    assert_eq!(written(), format!("\r| Waiting for the s\r{}\r", " ".repeat(19)));
}

#[test]
fn while_something_may_be_pasted_nothing_writes_over_it() {
    let begun = shown(Some(80), [open(Ok(()), true)]);
    let all = shown(Some(80), [open(Ok(()), true), waiting(1), waiting(2)]);
    assert_eq!(begun, all);
}

#[test]
fn steps_do_not_show_addresses_and_codes_in_debug() {
    let text = format!("{:?}{:?}", open(Ok(()), true), device(Some("https://auth.example.com/device?c=WDJB-MJHT")));
    assert!(!text.contains("state") && !text.contains("WDJB") && !text.contains("http"), "{text}");
}

#[test]
fn what_nobody_reads_on_one_output_goes_to_the_other() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut terminal = Terminal::on(Closed, None);
    assert!(!terminal.is_stderr);
    terminal.show(Step::Waiting { elapsed: Duration::ZERO, left: None });
    assert!(terminal.is_stderr);
}
