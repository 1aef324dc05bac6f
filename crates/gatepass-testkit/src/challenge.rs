use http::StatusCode;

/// How a refusal asks for a token: the `WWW-Authenticate` of a 401 or 403, in the styles servers use.
///
/// Send one with [`Failure::challenge`](crate::Failure::challenge), which also picks the status.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Challenge {
    /// 401 and no `WWW-Authenticate` at all.
    Absent,
    /// `Bearer`, alone: no token was seen (RFC 6750, 3.1).
    Bearer,
    /// `Bearer realm="testkit", error="invalid_token", …`
    InvalidToken,
    /// `bearer error="invalid_token"`: the scheme in lower case.
    LowerCase,
    /// Parameters with neither quotes where they can be left out nor a space after the comma.
    Compact,
    /// `Basic`, `Bearer` and a scheme nobody knows, in one header line.
    OneLine,
    /// The same three, a header line each.
    SeveralLines,
    /// 403 and `error="insufficient_scope"` with the scope that is needed.
    InsufficientScope(String),
    /// 401 and `error="insufficient_user_authentication"` with the `acr_values` that are needed (RFC 9470).
    InsufficientUserAuthentication(String),
    /// `Basic` only: a bearer token would not help.
    Basic,
    /// `Bearer` and `DPoP`, the latter with its algorithms, in one header line (RFC 9449).
    Dpop,
    /// Bytes that no grammar allows.
    Garbage,
    /// 401 and exactly these header lines. What cannot stand in a header is left out.
    Raw(Vec<String>),
}

impl Challenge {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::InsufficientScope(_) => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let lines: &[&str] = match self {
            Self::Absent => &[],
            Self::Bearer => &["Bearer"],
            Self::InvalidToken => &[INVALID_TOKEN],
            Self::LowerCase => &[r#"bearer error="invalid_token""#],
            Self::Compact => &[r#"Bearer realm="a,b",error=invalid_token,error_description="gone""#],
            Self::OneLine => &[r#"Basic realm="testkit", Bearer error="invalid_token", Other abc123=="#],
            Self::SeveralLines => &[r#"Basic realm="testkit""#, r#"Bearer error="invalid_token""#, "Other abc123=="],
            Self::InsufficientScope(scope) => {
                let scope = quoted(scope);
                return vec![format!("Bearer error=\"insufficient_scope\", scope={scope}")];
            }
            Self::InsufficientUserAuthentication(acr_values) => {
                let acr_values = quoted(acr_values);
                return vec![format!(
                    "Bearer error=\"insufficient_user_authentication\", \
                     error_description=\"a stronger sign-in is needed\", acr_values={acr_values}"
                )];
            }
            Self::Basic => &[r#"Basic realm="testkit""#],
            Self::Dpop => &[r#"Bearer error="invalid_token", DPoP algs="ES256 EdDSA""#],
            Self::Garbage => &["\u{fffd}=\"unclosed, ,,, Bearer==;\t error=\"\\"],
            Self::Raw(lines) => return lines.clone(),
        };
        lines.iter().map(|&line| line.to_owned()).collect()
    }
}

const INVALID_TOKEN: &str =
    r#"Bearer realm="testkit", error="invalid_token", error_description="expired, revoked or never issued""#;

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
