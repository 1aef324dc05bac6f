use std::{
    collections::{HashMap, hash_map},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{Either, select},
};
use redis::Client;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

/// Tells waiters of changes, over one connection for all of them. It lives, with its task, while somebody waits.
#[derive(Default)]
pub(crate) struct Changes {
    /// To the task, which ends when nobody who waits holds a sender.
    task: Mutex<Option<mpsc::WeakUnboundedSender<Ask>>>,
}

enum Ask {
    Join(Arc<str>, oneshot::Sender<watch::Receiver<()>>),
    Leave(Arc<str>),
}

impl Changes {
    /// Listens to a channel. Whatever is said on it after this returns is heard. `None` if that cannot be had within
    /// `limit`: Redis is away, the user may not, a proxy has no pub/sub.
    pub(crate) async fn listen(&self, client: &Client, channel: &Arc<str>, limit: Duration) -> Option<Listener> {
        let task = self.task(client, limit);
        let (joined, heard) = oneshot::channel();
        task.send(Ask::Join(channel.clone(), joined)).ok()?;
        let place = Place { task, channel: channel.clone() };
        match timeout(limit, heard).await {
            Ok(heard) => Some(Listener { heard: heard.ok()?, _place: place }),
            Err(_) => {
                // The runtime it is on may stand still. Whoever comes next gets another.
                *self.lock() = None;
                None
            }
        }
    }

    fn task(&self, client: &Client, limit: Duration) -> mpsc::UnboundedSender<Ask> {
        let mut task = self.lock();
        if let Some(task) = task.as_ref().and_then(mpsc::WeakUnboundedSender::upgrade)
            && !task.is_closed()
        {
            return task;
        }
        let (sender, asked) = mpsc::unbounded_channel();
        *task = Some(sender.downgrade());
        tokio::spawn(pass_on(client.clone(), asked, limit));
        sender
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<mpsc::WeakUnboundedSender<Ask>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits.
pub(crate) struct Listener {
    /// Goes before the place, so that the task finds it gone.
    heard: watch::Receiver<()>,
    _place: Place,
}

impl Listener {
    /// Waits until something was said that was not heard yet. False if nothing will be any more.
    pub(crate) async fn hear(&mut self) -> bool {
        self.heard.changed().await.is_ok()
    }
}

struct Place {
    task: mpsc::UnboundedSender<Ask>,
    channel: Arc<str>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.task.send(Ask::Leave(self.channel.clone()));
    }
}

/// The task. When it ends, all who listen notice.
async fn pass_on(client: Client, mut asked: mpsc::UnboundedReceiver<Ask>, limit: Duration) {
    let Ok(Ok(connection)) = timeout(limit, client.get_async_pubsub()).await else { return };
    let (mut sink, mut messages) = connection.split();
    let mut channels: HashMap<Arc<str>, watch::Sender<()>> = HashMap::new();
    loop {
        match select(pin!(asked.recv()), messages.next()).await {
            Either::Left((Some(Ask::Join(channel, joined)), _)) => {
                let changed = match channels.entry(channel) {
                    hash_map::Entry::Occupied(found) => found.into_mut(),
                    hash_map::Entry::Vacant(free) => match timeout(limit, sink.subscribe(&**free.key())).await {
                        Ok(Ok(())) => free.insert(watch::Sender::new(())),
                        Ok(Err(_refused)) => continue,
                        Err(_) => return,
                    },
                };
                let _ = joined.send(changed.subscribe());
            }
            Either::Left((Some(Ask::Leave(channel)), _)) => {
                if channels.get(&channel).is_some_and(|changed| changed.receiver_count() == 0) {
                    channels.remove(&channel);
                    if !matches!(timeout(limit, sink.unsubscribe(&*channel)).await, Ok(Ok(()))) {
                        return;
                    }
                }
            }
            Either::Right((Some(message), _)) => {
                if let Some(changed) = channels.get(message.get_channel_name()) {
                    changed.send_replace(());
                }
            }
            Either::Left((None, _)) | Either::Right((None, _)) => return,
        }
    }
}
