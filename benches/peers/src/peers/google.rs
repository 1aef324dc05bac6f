//! google-cloud-auth, as in the docs of its `Credentials`: the headers for each request, from a cache that a task
//! keeps fresh. It does nothing about a 401.
//!
//! Its token requests have the shape of Google's metadata service, whose address can be set: there is a
//! [stand-in](crate::stand_in).

use google_cloud_auth::credentials::{CacheableResource, Credentials, mds};
use http::{Extensions, HeaderMap};

use crate::{
    keeper::{Error, Keeper},
    stand_in::stand_in,
};

#[derive(Clone)]
pub(crate) struct Google(Credentials);

impl Google {
    pub(crate) async fn new(token_url: &str) -> Self {
        Self(mds::Builder::default().with_endpoint(stand_in(token_url).await).build().unwrap())
    }
}

impl Keeper for Google {
    async fn authorize(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        if let CacheableResource::New { data, .. } = self.0.headers(Extensions::new()).await? {
            headers.extend(data);
        }
        Ok(())
    }
}
