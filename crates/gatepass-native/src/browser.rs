//! Opens the system browser, as a program of its own (8252-2). How that is done on each system, the crate `open` knows.

use std::{
    env,
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

/// What opens a browser either fails within this time, or has done it, or is the browser itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// They need the terminal, which this program uses, and rarely run a sign-in page.
const TEXT_BROWSERS: [&str; 9] =
    ["browsh", "carbonyl", "elinks", "links", "links2", "lynx", "retawq", "w3m", "www-browser"];

/// Opens the URL.
///
/// # Errors
/// Why not, as the rest of a line that begins with "No browser was opened:". It does not contain the URL.
pub(crate) async fn open(url: &str) -> Result<(), String> {
    start(Surroundings::look(), url).await
}

/// What decides which programs are tried.
#[derive(Clone, Debug)]
struct Surroundings {
    /// Command lines of the person's choice, as in the variable `BROWSER`: separated by colons, `%s` is the URL.
    browser: Option<String>,
    /// Whether a window would be seen by who runs this.
    windows: Result<(), &'static str>,
}

impl Surroundings {
    fn look() -> Self {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        // macOS and Windows have no variable for it; a Linux inside of Windows opens the browser of that.
        let has_display = is_set("DISPLAY") || is_set("WAYLAND_DISPLAY");
        let needs_none = cfg!(windows) || cfg!(target_os = "macos") || is_set("WSL_DISTRO_NAME");
        let is_remote = is_set("SSH_CONNECTION") || is_set("SSH_TTY");
        Self {
            // Where colons are part of paths it is not a list.
            browser: env::var("BROWSER").ok().filter(|browser| !cfg!(windows) && !browser.trim().is_empty()),
            windows: match () {
                () if has_display => Ok(()),
                () if is_remote => Err("this is an SSH session without a display"),
                () if needs_none => Ok(()),
                () => Err("there is no display"),
            },
        }
    }

    /// What to try, in this order.
    fn commands(&self, url: &str) -> Result<Vec<Command>, &'static str> {
        // Launchers take file names and options too.
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        if !is_web || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("this is no address for a browser");
        }
        let mut commands: Vec<_> =
            self.browser.iter().flat_map(|lines| lines.split(':')).filter_map(|line| chosen(line, url)).collect();
        match self.windows {
            Ok(()) => commands.extend(open::commands(url)),
            Err(why) if commands.is_empty() => return Err(why),
            Err(_) => {}
        }
        Ok(commands)
    }
}

/// One entry of `BROWSER`; none for a text browser.
fn chosen(line: &str, url: &str) -> Option<Command> {
    let mut words = line.split_ascii_whitespace();
    let program = words.next()?;
    if TEXT_BROWSERS.contains(&program.rsplit('/').next()?) {
        return None;
    }
    let mut command = Command::new(program);
    command.args(words.map(|word| word.replace("%s", url)));
    if !line.contains("%s") {
        command.arg(url);
    }
    Some(command)
}

async fn start(surroundings: Surroundings, url: &str) -> Result<(), String> {
    for command in surroundings.commands(url)? {
        if starts(command).await {
            return Ok(());
        }
    }
    Err("no browser could be started".to_owned())
}

/// Whether the program starts and does not soon say that it failed.
async fn starts(command: Command) -> bool {
    let (ended, end) = oneshot::channel();
    // Not a thread of the runtime: it stays until the program ends, which may be the browser itself.
    let thread = std::thread::Builder::new().name("gatepass-browser".to_owned()).spawn(move || {
        let _ = ended.send(succeeds(command));
    });
    match timeout(PATIENCE, end).await {
        _ if thread.is_err() => false,
        Ok(succeeded) => succeeded.unwrap_or(false),
        Err(_) => true,
    }
}

fn succeeds(mut command: Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C in this terminal shall not close the browser.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://auth.example.com/authorize?client_id=a%20b&state=100%25";

    fn unseen(browser: Option<&str>) -> Surroundings {
        Surroundings { browser: browser.map(str::to_owned), windows: Err("there is no display") }
    }

    fn seen(browser: Option<&str>) -> Surroundings {
        Surroundings { windows: Ok(()), ..unseen(browser) }
    }

    fn lines(surroundings: &Surroundings) -> Result<Vec<String>, &'static str> {
        let words = |command: &Command| {
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        Ok(surroundings.commands(URL)?.iter().map(words).collect())
    }

    #[test]
    fn without_a_display_only_what_was_chosen_is_tried() {
        assert_eq!(lines(&unseen(None)), Err("there is no display"));
        assert_eq!(lines(&unseen(Some("a"))), Ok(vec![format!("a {URL}")]));
        assert!(lines(&seen(None)).unwrap().iter().all(|line| line.contains(URL)));
        assert!(!lines(&seen(None)).unwrap().is_empty());
    }

    #[test]
    fn browser_is_a_list_of_command_lines() {
        assert_eq!(
            lines(&unseen(Some("a -n::b --url=%s x"))),
            Ok(vec![format!("a -n {URL}"), format!("b --url={URL} x")])
        );
        assert_eq!(lines(&seen(Some("a"))).unwrap()[0], format!("a {URL}"));
        // A text browser would take the terminal.
        assert_eq!(lines(&unseen(Some("/usr/bin/w3m"))), Err("there is no display"));
        assert_eq!(lines(&unseen(Some("lynx %s:firefox"))), Ok(vec![format!("firefox {URL}")]));
    }

    #[test]
    fn only_web_addresses_are_opened() {
        for bad in ["file:///etc/passwd", "-version", "javascript:alert(1)", "https://a b", "https://a\n", ""] {
            assert!(seen(Some("a")).commands(bad).is_err(), "{bad}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_a_browser_prints_goes_nowhere() {
        let folder = env::temp_dir().join(format!("gatepass-browser-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let seen = folder.join("seen");
        let script = folder.join("script");
        let text = "to=$(readlink /proc/$$/fd/0 /proc/$$/fd/1 /proc/$$/fd/2); echo \"$to $2\" > \"$1\"; echo noise";
        std::fs::write(&script, text).unwrap();
        let browser = format!("/no/such/browser:false:/bin/sh {} {} %s", script.display(), seen.display());
        start(unseen(Some(&browser)), URL).await.unwrap();
        let seen = std::fs::read_to_string(&seen).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(seen, format!("/dev/null\n/dev/null\n/dev/null {URL}\n"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_browser_that_fails_is_no_browser() {
        let error = start(unseen(Some("false:/no/such")), URL).await;
        assert_eq!(error, Err("no browser could be started".to_owned()));
    }
}
