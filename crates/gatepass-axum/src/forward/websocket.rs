//! What becomes of a connection once both sides have switched to WebSocket.

use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy, split};

/// How long a side that does not read may keep the end of the connection waiting.
const FAREWELL: Duration = Duration::from_secs(5);

/// Copies in both directions until either side ends: there is no half of a WebSocket.
pub(super) async fn join(browser: OnUpgrade, api: OnUpgrade) {
    let (browser, api) = match tokio::try_join!(browser, api) {
        Ok((browser, api)) => (TokioIo::new(browser), TokioIo::new(api)),
        Err(error) => {
            tracing::debug!(%error, "a WebSocket ended before it began");
            return;
        }
    };
    let ((mut from_browser, mut to_browser), (mut from_api, mut to_api)) = (split(browser), split(api));
    let ended = tokio::select! {
        ended = copy(&mut from_browser, &mut to_api) => ended,
        ended = copy(&mut from_api, &mut to_browser) => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a WebSocket broke off");
    }
    let _ = tokio::time::timeout(FAREWELL, async { tokio::join!(to_browser.shutdown(), to_api.shutdown()) }).await;
}
