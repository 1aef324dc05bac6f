//! The jobs: who has one, on whose behalf it calls, and what came of that.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, fs,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gatepass::{BoxError, Error, Origins};
use gatepass_axum::{OnBehalf, Site};
use http::Uri;
use tokio::task::JoinHandle;

use crate::common::{self, web_api::printable};

/// How many lines of a log are kept.
const LINES: usize = 50;
/// How long an API may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// All jobs, one for each person at most. A handle.
#[derive(Clone)]
pub(crate) struct Jobs(Arc<Shared>);

struct Shared {
    site: Site,
    url: Uri,
    origins: Origins,
    every: Duration,
    file: Option<PathBuf>,
    all: Mutex<BTreeMap<String, Job>>,
}

struct Job {
    /// Of the sign-in on whose behalf it calls: all that has to be kept of it.
    id: String,
    stands: Stands,
    log: VecDeque<String>,
    task: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// There is none.
    None,
    Runs,
    /// By the person.
    Stopped,
    /// Somebody has to sign in before another one can run.
    Ended,
}

impl Jobs {
    /// Goes on with those that are in the file.
    ///
    /// # Errors
    /// When it cannot be read, or is another program's.
    pub(crate) fn start(
        site: Site,
        url: Uri,
        origins: Origins,
        every: Duration,
        file: Option<PathBuf>,
    ) -> Result<Self, BoxError> {
        let kept = match &file {
            Some(path) => read(path)?,
            None => BTreeMap::new(),
        };
        let jobs = Self(Arc::new(Shared { site, url, origins, every, file, all: Mutex::default() }));
        for (who, id) in kept {
            jobs.spawn(&mut jobs.lock(), &who, id, "goes on after a restart");
        }
        Ok(jobs)
    }

    /// Runs one for somebody, if none does.
    ///
    /// # Errors
    /// When it cannot be written down; then it does not run.
    pub(crate) fn run(&self, who: &str, person: &OnBehalf) -> Result<(), BoxError> {
        let mut all = self.lock();
        if all.get(who).is_some_and(|job| job.stands == Stands::Runs) {
            return Ok(());
        }
        self.spawn(&mut all, who, person.id().to_owned(), "started");
        let written = self.write(&all);
        if written.is_err() {
            end(&mut all, who, Stands::Stopped, "not started: it cannot be written down");
        }
        written
    }

    /// # Errors
    /// When that cannot be written down: it is stopped all the same, until a restart.
    pub(crate) fn stop(&self, who: &str) -> Result<(), BoxError> {
        let mut all = self.lock();
        end(&mut all, who, Stands::Stopped, "stopped by you");
        self.write(&all)
    }

    /// A sign-in takes the place of the same person's one before, in another browser or before a restart, if they have not
    /// signed out there: the job calls by the newest, so that it ends with the sign-out that they see.
    ///
    /// # Errors
    /// When that cannot be written down, or the tokens of the one before cannot be forgotten.
    pub(crate) async fn takes_over(&self, who: &str, person: &OnBehalf) -> Result<(), BoxError> {
        let is_other = |job: &&Job| job.stands == Stands::Runs && job.id != person.id();
        let Some(before) = self.lock().get(who).filter(is_other).map(|job| job.id.clone()) else { return Ok(()) };
        let cell = self.0.site.on_behalf_of(&before)?.cell().clone();
        if cell.token_set().await?.is_none() {
            // It finds that out itself, at its next call.
            return Ok(());
        }
        {
            let mut all = self.lock();
            if all.get(who).filter(is_other).is_none_or(|job| job.id != before) {
                return Ok(());
            }
            self.spawn(&mut all, who, person.id().to_owned(), "goes on by a newer sign-in");
            self.write(&all)?;
        }
        Ok(cell.remove().await?)
    }

    /// How somebody's job stands, and its log, newest first.
    pub(crate) fn of(&self, who: &str) -> (Stands, Vec<String>) {
        match self.lock().get(who) {
            Some(job) => (job.stands, job.log.iter().cloned().collect()),
            None => (Stands::None, Vec::new()),
        }
    }

    /// Where they call.
    pub(crate) fn api(&self) -> String {
        self.0.url.to_string()
    }

    /// Ends the tasks, not the jobs: those that are written down go on at the next start.
    pub(crate) async fn end(&self) {
        let ids: Vec<String> = self
            .lock()
            .values_mut()
            .filter_map(|job| {
                job.task.take()?.abort();
                Some(job.id.clone())
            })
            .collect();
        for id in ids {
            if let Ok(person) = self.0.site.on_behalf_of(&id) {
                person.cell().settled().await;
            }
        }
    }

    fn spawn(&self, all: &mut BTreeMap<String, Job>, who: &str, id: String, why: &str) {
        let task = tokio::spawn(self.clone().calls(who.to_owned(), id.clone()));
        let before = all.remove(who).map(|job| (job.log, job.task));
        let (log, before) = before.unwrap_or_default();
        if let Some(task) = before {
            task.abort();
        }
        let mut job = Job { id, stands: Stands::Runs, log, task: Some(task) };
        job.say(why);
        all.insert(who.to_owned(), job);
    }

    /// Calls every few seconds, until nobody is signed in any more on whose behalf.
    async fn calls(self, who: String, id: String) {
        let ended = match self.0.site.on_behalf_of(&id) {
            Ok(person) => self.until_ended(&who, &person).await,
            // The provider that it was is none of this site's now.
            Err(error) => error,
        };
        let mut all = self.lock();
        // It may have gone on by a newer sign-in just now.
        if all.get(&who).is_none_or(|job| job.id != id) {
            return;
        }
        end(&mut all, &who, Stands::Ended, &format!("ended: {}", printable(&ended.to_string())));
        if let Err(error) = self.write(&all) {
            tracing::warn!(error = common::one_line(&*error), "a job that ended is still written down");
        }
    }

    async fn until_ended(&self, who: &str, person: &OnBehalf) -> Error {
        // The handle goes wherever the job goes. Its token is renewed when it is due, and once for all who use it.
        let mut api = common::api(person.cell().clone(), self.0.origins.clone());
        loop {
            let mut pause = self.0.every;
            let call = tokio::time::timeout(ANSWERS_WITHIN, common::get(&mut api, &self.0.url));
            let line = match call.await {
                Ok(Ok(body)) => {
                    let generation = person.cell().status().generation;
                    format!("{} bytes from the API; the token's generation is {generation}", body.len())
                }
                Ok(Err(error)) => match error.downcast::<Error>() {
                    Ok(error) if error.is_reauth_required() => return *error,
                    Ok(error) => {
                        pause = pause.max(error.retry_after().unwrap_or_default());
                        format!("no token now, tried again later: {}", common::one_line(&*error))
                    }
                    Err(error) => format!("tried again later: {}", common::one_line(&*error)),
                },
                Err(_) => "tried again later: the API did not answer in time".to_owned(),
            };
            if let Some(job) = self.lock().get_mut(who).filter(|job| job.id == person.id()) {
                job.say(&printable(&line));
            }
            tokio::time::sleep(pause).await;
        }
    }

    fn write(&self, all: &BTreeMap<String, Job>) -> Result<(), BoxError> {
        let Some(path) = &self.0.file else { return Ok(()) };
        let running: BTreeMap<&str, &str> = all
            .iter()
            .filter(|(_, job)| job.stands == Stands::Runs)
            .map(|(who, job)| (who.as_str(), job.id.as_str()))
            .collect();
        // Whoever interrupts this leaves the old file or the new one.
        let next = path.with_extension("tmp");
        fs::write(&next, serde_json::to_vec_pretty(&running)?)?;
        Ok(fs::rename(&next, path)?)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(path: &PathBuf) -> Result<BTreeMap<String, String>, BoxError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!("JOBS_FILE cannot be read: {error}").into()),
    };
    serde_json::from_slice(&text)
        .map_err(|error| format!("JOBS_FILE is none of this program's: {error}; name another one").into())
}

fn end(all: &mut BTreeMap<String, Job>, who: &str, stands: Stands, why: &str) {
    let Some(job) = all.get_mut(who).filter(|job| job.stands == Stands::Runs) else { return };
    job.stands = stands;
    job.say(why);
    if let Some(task) = job.task.take() {
        task.abort();
    }
}

impl Job {
    fn say(&mut self, line: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        self.log.push_front(format!("{:02}:{:02}:{:02} UTC  {line}", now / 3600 % 24, now / 60 % 60, now % 60));
        self.log.truncate(LINES);
    }
}

impl fmt::Display for Stands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Runs => "runs",
            Self::Stopped => "stopped",
            Self::Ended => "ended with the sign-in",
        })
    }
}
