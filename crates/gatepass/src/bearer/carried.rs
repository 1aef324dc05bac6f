use http::{Request, Response, header};

use super::{Refused, Story, refused::Replayed};
use crate::{
    cell::TokenCell,
    gate::{Held, Pass},
    token::Token,
};

/// What went with a request, and is needed when its response comes.
pub(super) struct Carried {
    token: Token,
    /// See [`Replayed`].
    replayed: bool,
    /// In a box, so that who did not ask for it does not move it about.
    more: Option<Box<More>>,
}

/// What was asked for beyond the token.
#[derive(Default)]
pub(super) struct More {
    pub(super) pass: Option<Pass>,
    pub(super) story: Option<Story>,
}

/// In the extensions of a response: the gate took the wait upon itself (R5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtGate(pub(crate) Held);

impl Carried {
    /// For a request that has the token on it.
    #[inline]
    pub(super) fn along<B>(request: &Request<B>, token: Token) -> Self {
        Self { token, replayed: request.extensions().get::<Replayed>().is_some(), more: None }
    }

    /// Puts the token on a request.
    pub(super) fn on<B>(request: &mut Request<B>, token: Token, cell: &TokenCell, mut more: Option<Box<More>>) -> Self {
        request.headers_mut().insert(header::AUTHORIZATION, token.header_value().clone());
        if let Some(more) = &mut more {
            more.pass.iter_mut().for_each(Pass::sent);
            more.story.iter_mut().for_each(|story| story.sent(cell, &token));
        }
        Self { more, ..Self::along(request, token) }
    }

    /// Reads the head of the response. A bad token is dropped from its cell, and then the response marked.
    #[inline]
    pub(super) fn settle<B>(&mut self, response: &mut Response<B>) {
        if let Some(refused) = Refused::read(response.status(), response.headers(), &self.token) {
            refused.mark(response.extensions_mut(), self.replayed);
        }
        if let Some(more) = self.more.take() {
            more.settle(response);
        }
    }
}

impl More {
    #[inline(never)]
    fn settle<B>(self, response: &mut Response<B>) {
        let held = self.pass.and_then(|pass| pass.answered(response.status(), response.headers()));
        if let Some(held) = held {
            response.extensions_mut().insert(AtGate(held));
        }
        if let Some(story) = self.story {
            response.extensions_mut().insert(story);
        }
    }
}
