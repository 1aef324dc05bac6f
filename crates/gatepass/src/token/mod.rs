//! What is sent and what is kept: [`Token`] goes on requests, [`TokenSet`] is what a token endpoint answered.
//!
//! ```
//! use std::time::Duration;
//! use gatepass::TokenSet;
//!
//! let set = TokenSet::new("2YotnFZFEjr1zCsicMWpAA").expires_in(Duration::from_secs(3600)).refresh_token("tGzv3JOkF0XG5Qx2TlKWIA");
//! assert!(!format!("{set:?}").contains("2Yotn"));
//! ```

mod set;
mod value;

pub use self::set::TokenSet;
pub(crate) use self::set::{Expiry, Texts};
pub use self::value::Token;
pub(crate) use self::value::{Copies, Owner};
