//! What axum's handlers may ask for.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{Extensions, request::Parts};

use crate::{
    failed::Failed,
    on_behalf::{Absent, OnBehalf},
    sign_in_needed::SignInNeeded,
    user::User,
    visit::Visit,
};

/// Why a handler was not called: nobody is signed in, or that cannot be found out now. An answer by itself.
#[derive(Debug)]
pub struct Rejection(Reason);

#[derive(Debug)]
enum Reason {
    SignIn(SignInNeeded),
    Failed(Failed),
}

impl Rejection {
    /// Whether and why somebody has to sign in.
    pub fn sign_in_needed(&self) -> Option<SignInNeeded> {
        match self.0 {
            Reason::SignIn(needed) => Some(needed),
            Reason::Failed(_) => None,
        }
    }

    /// Why it cannot be found out.
    pub fn error(&self) -> Option<&gatepass::Error> {
        match &self.0 {
            Reason::SignIn(_) => None,
            Reason::Failed(failed) => failed.error(),
        }
    }

    /// The answer, for any body: the [site's layer](crate::Site::layer) makes of it what the person or the script can
    /// read.
    pub fn response<B: Default>(&self) -> http::Response<B> {
        match &self.0 {
            Reason::SignIn(needed) => needed.response(),
            Reason::Failed(failed) => failed.response(),
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.response()
    }
}

impl From<Absent> for Rejection {
    fn from(absent: Absent) -> Self {
        Self(match absent {
            Absent::SignIn(needed) => Reason::SignIn(needed),
            Absent::Failed(error) => Reason::Failed(Failed::new(error)),
        })
    }
}

fn visit(extensions: &Extensions) -> Result<Visit, Rejection> {
    extensions.get().cloned().ok_or_else(|| Rejection(Reason::Failed(Failed::no_layer())))
}

impl User {
    /// Who makes the request that has these extensions, if anybody is signed in: what the extractor does, for other
    /// frameworks.
    ///
    /// # Errors
    /// When that cannot be found out now, or the request did not come through [`Site::layer`](crate::Site::layer).
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn find(extensions: &Extensions) -> Result<Option<Self>, Rejection> {
        let signed_in = visit(extensions)?.signed_in().await.map_err(Absent::Failed)?;
        Ok(signed_in.map(|signed_in| signed_in.user.clone()))
    }
}

impl OnBehalf {
    /// For whoever makes the request that has these extensions: what the extractor does, for other frameworks.
    ///
    /// # Errors
    /// When nobody is signed in, somebody has to sign in again, or no token can be had now.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn find(extensions: &Extensions) -> Result<Self, Rejection> {
        Ok(Self::of(&visit(extensions)?).await?)
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Self::find(&parts.extensions).await?.ok_or_else(|| Absent::SignIn(SignInNeeded::SignedOut).into())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for User {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        Self::find(&parts.extensions).await
    }
}

impl<S: Sync> FromRequestParts<S> for OnBehalf {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        Self::find(&parts.extensions).await
    }
}

/// Nobody to call for is no failure there.
impl<S: Sync> OptionalFromRequestParts<S> for OnBehalf {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        match Self::of(&visit(&parts.extensions)?).await {
            Ok(person) => Ok(Some(person)),
            Err(Absent::SignIn(_)) => Ok(None),
            Err(absent) => Err(absent.into()),
        }
    }
}
