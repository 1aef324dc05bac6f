use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gatepass::Error;
use redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Value, aio::MultiplexedConnection};
use tokio::time::timeout;

use crate::{
    error,
    scripts::{Answer, Call},
};

/// One connection for all calls, made when one is needed and made again when it is of no use any more.
pub(crate) struct Connection {
    client: Client,
    /// As errors show it: without user and password.
    address: String,
    open: Mutex<Option<Open>>,
    connecting: tokio::sync::Mutex<()>,
}

type Open = Arc<MultiplexedConnection>;

impl Connection {
    pub(crate) fn new(client: Client) -> Self {
        let address = client.get_connection_info().addr().to_string();
        Self { client, address, open: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Runs a script within `limit`, connecting included.
    ///
    /// A connection that was open before may have died unnoticed: so it gets half the time at most, and then the call
    /// is sent once more, over a new one.
    pub(crate) async fn run(&self, call: &Call, limit: Duration) -> Result<Answer, Error> {
        let mut used = None;
        match timeout(limit, self.run_twice(call, limit, &mut used)).await {
            Ok(Ok(value)) => Answer::read(value).ok_or_else(|| error::strange_answer(&self.address)),
            Ok(Err(error)) => Err(error::failed(&self.address, error)),
            Err(_) => {
                if let Some(open) = used {
                    self.forget(&open);
                }
                Err(error::timed_out(&self.address, limit))
            }
        }
    }

    async fn run_twice(&self, call: &Call, limit: Duration, used: &mut Option<Open>) -> RedisResult<Value> {
        loop {
            let (open, is_new) = self.open(limit).await?;
            *used = Some(open.clone());
            let patience = if is_new { limit } else { limit / 2 };
            match timeout(patience, call.invoke_async(&mut MultiplexedConnection::clone(&open))).await {
                Ok(Err(error)) if needs_another(&error) => {
                    self.forget(&open);
                    if is_new {
                        return Err(error);
                    }
                }
                Ok(answer) => return answer,
                Err(_) => self.forget(&open),
            }
        }
    }

    /// And whether it was made for this call.
    async fn open(&self, limit: Duration) -> RedisResult<(Open, bool)> {
        if let Some(open) = self.current() {
            return Ok((open, false));
        }
        // Whoever connects may be on a runtime that stands still: then each connects for itself.
        let _one_at_a_time = timeout(limit / 2, self.connecting.lock()).await;
        if let Some(open) = self.current() {
            return Ok((open, false));
        }
        self.provide_tls();
        // The limit is that of the whole call.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let open = Arc::new(self.client.get_multiplexed_async_connection_with_config(&config).await?);
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(open.clone());
        Ok((open, true))
    }

    fn current(&self) -> Option<Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self, used: &Open) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.take_if(|open| Arc::ptr_eq(open, used));
    }

    /// redis asks rustls for the provider of the process, and rustls panics where none was installed and it cannot
    /// tell which to take.
    fn provide_tls(&self) {
        #[cfg(feature = "tls")]
        if matches!(self.client.get_connection_info().addr(), redis::ConnectionAddr::TcpTls { .. })
            && rustls::crypto::CryptoProvider::get_default().is_none()
        {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
    }
}

/// Whether a new connection may do what this one did not: it is broken, or a failover made a replica of what it leads
/// to.
fn needs_another(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_io_error() || error.code() == Some("READONLY")
}
