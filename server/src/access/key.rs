//! The keys that tokens are checked with, as files have them.

use std::fmt;
use std::path::Path;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};

/// A secret that is shorter could be guessed from a token (RFC 7518, section 3.2).
const SHORTEST_SECRET: usize = 32;

/// What 2,048 bits are in base64, and the public key of so many in DER.
const SHORTEST_MODULUS: usize = 342;
const SHORTEST_RSA_KEY: usize = 256;

/// How many keys are tried at the most.
pub(crate) const MOST_KEYS: usize = 64;

/// A key, and the one algorithm that it is for.
#[derive(Clone)]
pub(crate) struct Key {
    id: Option<Box<str>>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// How tokens are signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub(crate) const NAMES: [&str; 4] = ["HS256", "RS256", "ES256", "EdDSA"];

    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];
        let at = Self::NAMES.iter().position(|known| *known == name)?;
        all.get(at).copied()
    }
}

impl Key {
    /// Whether whoever has it can sign with it.
    pub(crate) fn is_secret(&self) -> bool {
        self.algorithm == Algorithm::Hs256
    }

    /// Whether it may be the one that a token names.
    pub(crate) fn may_be(&self, named: Option<&str>) -> bool {
        match (&self.id, named) {
            (Some(id), Some(named)) => **id == *named,
            (None, _) | (_, None) => true,
        }
    }

    pub(crate) const fn algorithm(&self) -> jsonwebtoken::Algorithm {
        match self.algorithm {
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }

    pub(crate) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// The keys in the file at `path`: one of `algorithm`, which is `id`; or those of a JSON Web Key Set,
/// which says so itself. Otherwise one line that says why not.
pub(crate) fn read_keys(
    path: &Path,
    algorithm: Option<Algorithm>,
    id: Option<&str>,
) -> Result<Vec<Key>, String> {
    let bytes = read(path)?;
    match algorithm {
        None if id.is_some() => Err("a key set names its keys itself: leave out id".into()),
        None => key_set(&bytes),
        Some(algorithm) => Ok(vec![Key {
            id: id.map(Into::into),
            algorithm,
            decoding: decoding_key(&bytes, algorithm)?,
        }]),
    }
}

/// What is in the file of a secret or a key, which is never long.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    const LARGEST: usize = 1 << 20;
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    if bytes.len() > LARGEST {
        return Err(format!("{name} is too large"));
    }
    Ok(bytes)
}

/// A secret as a file has it: without the end of its line, and not shorter than `shortest`.
pub(crate) fn secret(bytes: &[u8], shortest: usize) -> Result<&[u8], String> {
    let text = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.starts_with(b"-----BEGIN") {
        return Err("the file has a key in PEM, not a secret".into());
    }
    if text.len() < shortest {
        return Err(format!(
            "the secret in the file must have {shortest} bytes or more"
        ));
    }
    Ok(text)
}

fn decoding_key(bytes: &[u8], algorithm: Algorithm) -> Result<DecodingKey, String> {
    if algorithm == Algorithm::Hs256 {
        return secret(bytes, SHORTEST_SECRET).map(DecodingKey::from_secret);
    }
    let is_private = String::from_utf8_lossy(bytes).contains("PRIVATE KEY");
    if is_private {
        return Err("the file has a private key; the server wants the public one".into());
    }
    let (key, name) = match algorithm {
        Algorithm::Rs256 => (DecodingKey::from_rsa_pem(bytes), "RSA"),
        Algorithm::Es256 => (DecodingKey::from_ec_pem(bytes), "P-256"),
        Algorithm::EdDsa | Algorithm::Hs256 => (DecodingKey::from_ed_pem(bytes), "Ed25519"),
    };
    let refused = || format!("the file has no public {name} key in PEM");
    let key = key.map_err(|_| refused())?;
    let size = key.try_get_as_bytes().map_or(0, <[u8]>::len);
    match algorithm {
        Algorithm::Rs256 if size < SHORTEST_RSA_KEY => {
            Err("an RSA key must have 2048 bits or more".into())
        }
        // One byte, and two coordinates of 32; other curves have longer ones.
        Algorithm::Es256 if size != 65 => Err(refused()),
        Algorithm::EdDsa if size != 32 => Err(refused()),
        Algorithm::Hs256 | Algorithm::Rs256 | Algorithm::Es256 | Algorithm::EdDsa => Ok(key),
    }
}

/// The keys of a set that tokens here may be signed with; others are passed over.
fn key_set(bytes: &[u8]) -> Result<Vec<Key>, String> {
    let refused = "the file has no JSON Web Key Set; for a single key, say its algorithm";
    let set: JwkSet = serde_json::from_slice(bytes).map_err(|_| refused)?;
    let mut keys = Vec::new();
    for jwk in &set.keys {
        if let Some(algorithm) = algorithm_of(jwk)? {
            keys.push(Key {
                id: jwk.common.key_id.as_deref().map(Into::into),
                algorithm,
                decoding: DecodingKey::from_jwk(jwk)
                    .map_err(|_| "a key of the set is not well-formed")?,
            });
        }
    }
    if keys.is_empty() {
        let known = Algorithm::NAMES.join(", ");
        return Err(format!("the set has no key for {known}"));
    }
    Ok(keys)
}

/// The algorithm that a key of a set is for, going by its type; `None` if by that or by what it says
/// of itself it is for another.
fn algorithm_of(jwk: &Jwk) -> Result<Option<Algorithm>, String> {
    let (algorithm, own) = match &jwk.algorithm {
        AlgorithmParameters::RSA(key) if key.n.len() < SHORTEST_MODULUS => {
            return Err("an RSA key must have 2048 bits or more".into());
        }
        AlgorithmParameters::OctetKey(key) if key.value.len() * 3 / 4 < SHORTEST_SECRET => {
            return Err(format!(
                "a secret must have {SHORTEST_SECRET} bytes or more"
            ));
        }
        AlgorithmParameters::RSA(_) => (Algorithm::Rs256, KeyAlgorithm::RS256),
        AlgorithmParameters::OctetKey(_) => (Algorithm::Hs256, KeyAlgorithm::HS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            (Algorithm::Es256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            (Algorithm::EdDsa, KeyAlgorithm::EdDSA)
        }
        AlgorithmParameters::EllipticCurve(_)
        | AlgorithmParameters::OctetKeyPair(_)
        | AlgorithmParameters::Other(_)
        | _ => return Ok(None),
    };
    let for_signatures = matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    let stated = jwk.common.key_algorithm;
    Ok((for_signatures && stated.is_none_or(|stated| stated == own)).then_some(algorithm))
}
