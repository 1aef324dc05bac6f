use http::{Extensions, HeaderMap, HeaderName, StatusCode};

use crate::{challenge::Challenges, token::Token};

/// Parsed once: a look-up by text would parse the text for each response.
static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// gRPC's `UNAUTHENTICATED`, sent as HTTP 200.
const GRPC_UNAUTHENTICATED: &[u8] = b"16";

/// In the extensions of a request that is sent again because its token was refused: a second refusal is handed back,
/// and costs nothing more (A4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replayed;

/// Put into the extensions of a response that refused a token: why, and whether sending again may help.
///
/// A 401 carries it, and a 403 that has challenges; no other response is touched (C1).
#[derive(Clone, Debug)]
pub struct Refused {
    token: Token,
    challenges: Challenges,
    token_is_bad: bool,
}

impl Refused {
    /// Reads the head of a response to a request that carried `token`; `None` when nothing was refused.
    ///
    /// Pure: the token is not dropped by this; see [`token_is_bad`](Self::token_is_bad). For adapters to other HTTP
    /// stacks.
    #[inline]
    pub fn read(status: StatusCode, headers: &HeaderMap, token: &Token) -> Option<Self> {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::read_challenges(status, headers, token),
            StatusCode::OK if headers.get(&GRPC_STATUS).is_some_and(|status| status == GRPC_UNAUTHENTICATED) => {
                Some(Self { token: token.clone(), challenges: Challenges::default(), token_is_bad: true })
            }
            _ => None,
        }
    }

    #[cold]
    fn read_challenges(status: StatusCode, headers: &HeaderMap, token: &Token) -> Option<Self> {
        let challenges = Challenges::parse(headers);
        if status == StatusCode::FORBIDDEN && challenges.is_empty() {
            return None;
        }
        let token_is_bad = status == StatusCode::UNAUTHORIZED && challenges.refuses_token("Bearer");
        Some(Self { token: token.clone(), challenges, token_is_bad })
    }

    #[cold]
    pub(super) fn mark(self, extensions: &mut Extensions, replayed: bool) {
        if self.token_is_bad && !replayed {
            self.token.reject();
        }
        extensions.insert(self);
    }

    /// The challenges of the response, parsed (RFC 9110 section 11.6.1).
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Whether it was the token that was refused, and not, say, its scope (A3).
    pub fn token_is_bad(&self) -> bool {
        self.token_is_bad
    }

    /// Whether the request, sent again, would go with another token: one is current, or may be had now (A2).
    ///
    /// It may not for a fixed token, a dead grant, or while exchanges are held off after a failure. Asked now, not
    /// when the response came.
    pub fn can_replay(&self) -> bool {
        self.token_is_bad && self.token.can_be_replaced()
    }
}
