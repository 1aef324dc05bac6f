use jsonwebtoken::Algorithm as Inner;

/// How something is signed (RFC 7518 section 3.1, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSA (PKCS #1 v1.5) with SHA-256: what most servers take.
    RS256,
    /// RSA (PKCS #1 v1.5) with SHA-384.
    RS384,
    /// RSA (PKCS #1 v1.5) with SHA-512.
    RS512,
    /// RSA-PSS with SHA-256.
    PS256,
    /// RSA-PSS with SHA-384.
    PS384,
    /// RSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
    /// HMAC with SHA-256: by a secret that the server has, too.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
}

/// What kind of key it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Rsa,
    Ec,
    Ed,
    Secret,
}

impl Algorithm {
    /// Its name in a header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
        }
    }

    pub(super) fn family(self) -> Family {
        match self {
            Self::RS256 | Self::RS384 | Self::RS512 | Self::PS256 | Self::PS384 | Self::PS512 => Family::Rsa,
            Self::ES256 | Self::ES384 => Family::Ec,
            Self::EdDSA => Family::Ed,
            Self::HS256 | Self::HS384 | Self::HS512 => Family::Secret,
        }
    }

    pub(super) fn inner(self) -> Inner {
        match self {
            Self::RS256 => Inner::RS256,
            Self::RS384 => Inner::RS384,
            Self::RS512 => Inner::RS512,
            Self::PS256 => Inner::PS256,
            Self::PS384 => Inner::PS384,
            Self::PS512 => Inner::PS512,
            Self::ES256 => Inner::ES256,
            Self::ES384 => Inner::ES384,
            Self::EdDSA => Inner::EdDSA,
            Self::HS256 => Inner::HS256,
            Self::HS384 => Inner::HS384,
            Self::HS512 => Inner::HS512,
        }
    }

    /// What a key for it looks like.
    pub(super) fn wants(self) -> &'static str {
        match (self.family(), self) {
            (Family::Rsa, _) => {
                "an RSA key of 2048 bits or more, in a PEM that begins with BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY"
            }
            (Family::Ec, Self::ES384) => "a P-384 key in a PEM that begins with BEGIN PRIVATE KEY",
            (Family::Ec, _) => "a P-256 key in a PEM that begins with BEGIN PRIVATE KEY",
            (Family::Ed, _) => "an Ed25519 key in a PEM that begins with BEGIN PRIVATE KEY",
            (Family::Secret, _) => "a secret and no PEM: use SigningKey::from_secret",
        }
    }
}
