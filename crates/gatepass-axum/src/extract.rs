//! What axum's handlers may ask for.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

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
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        match self.0 {
            Reason::SignIn(needed) => needed.into_response(),
            Reason::Failed(failed) => failed.into_response(),
        }
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

fn visit(parts: &Parts) -> Result<&Visit, Rejection> {
    parts.extensions.get().ok_or_else(|| Rejection(Reason::Failed(Failed::no_layer())))
}

async fn user(parts: &Parts) -> Result<Option<User>, Rejection> {
    let signed_in = visit(parts)?.signed_in().await.map_err(Absent::Failed)?;
    Ok(signed_in.map(|signed_in| signed_in.user.clone()))
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        user(parts).await?.ok_or_else(|| Absent::SignIn(SignInNeeded::SignedOut).into())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for User {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        user(parts).await
    }
}

impl<S: Sync> FromRequestParts<S> for OnBehalf {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Rejection> {
        let visit = visit(parts)?.clone();
        Ok(Self::of(&visit).await?)
    }
}

/// Nobody to call for is no failure there.
impl<S: Sync> OptionalFromRequestParts<S> for OnBehalf {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Rejection> {
        let visit = visit(parts)?.clone();
        match Self::of(&visit).await {
            Ok(person) => Ok(Some(person)),
            Err(Absent::SignIn(_)) => Ok(None),
            Err(absent) => Err(absent.into()),
        }
    }
}
