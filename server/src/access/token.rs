//! JSON Web Tokens: whether one is good, what it says, and until when (RFC 7519).

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use jsonwebtoken::{Header, Validation, decode, decode_header};
use serde_json::{Map, Number, Value};

use super::Key;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8_192;

/// How tokens are checked.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) keys: Vec<Key>,
    /// One of these has to have issued it, if there are any.
    pub(crate) issuers: Vec<Box<str>>,
    /// It has to be for one of these, if there are any.
    pub(crate) audiences: Vec<Box<str>>,
    /// How far its issuer's clock may be from ours.
    pub(crate) leeway: Duration,
}

/// What is wrong with a token. It says nothing of what is in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenError {
    /// There is none, where one is required.
    Missing,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYet,
    /// Anything else: its form, its signature, whom it is from, whom it is for.
    Invalid,
}

impl TokenError {
    /// As clients are told.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Expired => "token_expired",
            Self::NotYet => "token_not_yet_valid",
            Self::Invalid => "token_invalid",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// What a good token says.
#[derive(Debug, PartialEq)]
pub(crate) struct Passport {
    pub(crate) claims: Map<String, Value>,
    /// Until when it is good, as the time since 1970.
    pub(crate) until: Duration,
}

impl Tokens {
    /// What `token` says, if it is good `now`, which is the time since 1970.
    pub(crate) fn check(&self, token: &str, now: Duration) -> Result<Passport, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.crit.is_some() {
            // RFC 7515, section 4.1.11: what must be understood is not understood here.
            return Err(TokenError::Invalid);
        }
        let claims = self.verify(token, &header).ok_or(TokenError::Invalid)?;
        let until = self.until(&claims, now)?;
        Ok(Passport { claims, until })
    }

    /// The claims of a token that one of the keys has signed. Which algorithm that is, the key says:
    /// a token that says otherwise is none of this key's.
    fn verify(&self, token: &str, header: &Header) -> Option<Map<String, Value>> {
        let named = header.kid.as_deref();
        let keys = self.keys.iter().filter(|key| key.may_be(named));
        keys.filter(|key| key.algorithm() == header.alg)
            .find_map(|key| {
                let validation = self.validation(key);
                let decoded = decode(token, key.decoding(), &validation).ok()?;
                Some(decoded.claims)
            })
    }

    fn validation(&self, key: &Key) -> Validation {
        let mut validation = Validation::new(key.algorithm());
        // Times are compared with the clock that the sessions go by.
        validation.validate_exp = false;
        validation.required_spec_claims = HashSet::new();
        validation.validate_aud = !self.audiences.is_empty();
        if validation.validate_aud {
            validation.set_audience(&self.audiences);
            validation.required_spec_claims.insert("aud".into());
        }
        if !self.issuers.is_empty() {
            validation.set_issuer(&self.issuers);
            validation.required_spec_claims.insert("iss".into());
        }
        validation
    }

    fn until(&self, claims: &Map<String, Value>, now: Duration) -> Result<Duration, TokenError> {
        let begins = match claims.get("nbf") {
            Some(value) => seconds(value).ok_or(TokenError::Invalid)?,
            None => Duration::ZERO,
        };
        let ends = claims.get("exp").and_then(seconds);
        let until = ends.ok_or(TokenError::Invalid)?.saturating_add(self.leeway);
        if begins > now.saturating_add(self.leeway) {
            return Err(TokenError::NotYet);
        }
        if until <= now {
            return Err(TokenError::Expired);
        }
        Ok(until)
    }
}

/// RFC 7519, section 2: seconds since 1970, perhaps with a fraction.
fn seconds(value: &Value) -> Option<Duration> {
    let number = value.as_number()?;
    let whole = number.as_u64().map(Duration::from_secs);
    whole.or_else(|| {
        let fraction = Number::as_f64(number)?;
        Duration::try_from_secs_f64(fraction).ok()
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::OnceLock;

    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, RsaKeyPair,
    };
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use jsonwebtoken::{Algorithm as Signed, EncodingKey, encode};
    use serde_json::json;
    use tempfile::NamedTempFile;

    use super::super::key::{Algorithm, read_keys};
    use super::*;

    const NOW: Duration = Duration::from_secs(1_700_000_000);
    const SECRET: &str = "a secret of thirty-two characters";

    #[test]
    fn a_good_token_of_each_algorithm_says_who_somebody_is_and_until_when() {
        for pair in pairs() {
            let tokens = tokens(pair.keys());
            let token = pair.sign(&json!({"sub": "ann", "exp": later(60)}));

            let passport = tokens.check(&token, NOW).unwrap();

            assert_eq!(passport.claims["sub"], json!("ann"), "{:?}", pair.signed);
            assert_eq!(passport.until, NOW + Duration::from_secs(90));
        }
    }

    #[test]
    fn the_key_says_which_algorithm_it_is_for_whatever_the_token_says() {
        let pairs = pairs();
        for pair in &pairs {
            let tokens = tokens(pair.keys());
            for other in pairs.iter().filter(|other| other.signed != pair.signed) {
                let token = other.sign(&good());
                assert_eq!(tokens.check(&token, NOW), Err(TokenError::Invalid));
            }
            // The famous one: the public key, which everybody has, taken for a secret.
            let forged = encode(
                &Header::new(Signed::HS256),
                &good(),
                &EncodingKey::from_secret(&pair.file),
            );
            if pair.signed != Signed::HS256 {
                assert_eq!(
                    tokens.check(&forged.unwrap(), NOW),
                    Err(TokenError::Invalid)
                );
            }
            for none in [
                "none", "None", "NONE", "nOnE", "HS384", "RS512", "PS256", "",
            ] {
                let head = json!({"alg": none, "typ": "JWT"});
                let parts = [head, good()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
                for signature in ["", "AAAA"] {
                    let token = format!("{}.{}.{signature}", parts[0], parts[1]);
                    assert_eq!(
                        tokens.check(&token, NOW),
                        Err(TokenError::Invalid),
                        "{none}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_was_tampered_with_or_is_no_token_is_refused() {
        for pair in pairs() {
            let tokens = tokens(pair.keys());
            let token = pair.sign(&good());
            let parts: Vec<&str> = token.split('.').collect();
            let other =
                URL_SAFE_NO_PAD.encode(json!({"sub": "root", "exp": later(60)}).to_string());
            let mut flipped = token.clone().into_bytes();
            let middle = token.len() - parts[2].len() / 2;
            flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
            let bad = [
                format!("{}.{other}.{}", parts[0], parts[2]),
                format!("{}.{}.", parts[0], parts[1]),
                format!("{}.{}", parts[0], parts[1]),
                format!("{token}.{}", parts[2]),
                format!("{token}A"),
                format!(" {token}"),
                format!("Bearer {token}"),
                String::from_utf8(flipped).unwrap(),
                String::new(),
                ".".into(),
                "..".into(),
                "a.b.c".into(),
                "\u{0}".into(),
                "{}".into(),
            ];

            for bad in bad {
                assert_eq!(tokens.check(&bad, NOW), Err(TokenError::Invalid), "{bad}");
            }
            assert!(tokens.check(&token, NOW).is_ok());
        }
    }

    #[test]
    fn times_and_names_are_looked_at() {
        let pair = hmac();
        let mut tokens = tokens(pair.keys());
        tokens.issuers = vec!["https://id.example".into(), "other".into()];
        tokens.audiences = vec!["chat".into(), "news".into()];
        let table = [
            (json!({}), Ok(())),
            (json!({"aud": "news", "iss": "other"}), Ok(())),
            (json!({"aud": ["x", "chat"]}), Ok(())),
            (json!({"exp": later(-29)}), Ok(())),
            (json!({"exp": later(-30)}), Err(TokenError::Expired)),
            (json!({"exp": later(-3_600)}), Err(TokenError::Expired)),
            (json!({"exp": 0}), Err(TokenError::Expired)),
            (json!({"exp": null}), Err(TokenError::Invalid)),
            (json!({"exp": "1800000000"}), Err(TokenError::Invalid)),
            (json!({"exp": -1}), Err(TokenError::Invalid)),
            (json!({"exp": 1_800_000_000.5}), Ok(())),
            (json!({"exp": u64::MAX}), Ok(())),
            (json!({"exp": 1e300}), Err(TokenError::Invalid)),
            (json!({"nbf": later(30)}), Ok(())),
            (json!({"nbf": later(31)}), Err(TokenError::NotYet)),
            (json!({"nbf": "soon"}), Err(TokenError::Invalid)),
            (json!({"aud": "mail"}), Err(TokenError::Invalid)),
            (json!({"aud": "Chat"}), Err(TokenError::Invalid)),
            (json!({"aud": ["mail"]}), Err(TokenError::Invalid)),
            (json!({"aud": []}), Err(TokenError::Invalid)),
            (json!({"aud": null}), Err(TokenError::Invalid)),
            (
                json!({"iss": "https://id.example.evil"}),
                Err(TokenError::Invalid),
            ),
            (json!({"iss": null}), Err(TokenError::Invalid)),
        ];

        for (change, expected) in table {
            let mut claims = json!({
                "sub": "ann", "exp": later(60), "aud": "chat", "iss": "https://id.example",
            });
            for (name, value) in change.as_object().unwrap() {
                claims[name] = value.clone();
            }
            let found = tokens.check(&pair.sign(&claims), NOW).map(|_| ());
            assert_eq!(found, expected, "{change}");
        }
        for missing in ["exp", "aud", "iss"] {
            let mut claims = json!({
                "exp": later(60), "aud": "chat", "iss": "https://id.example",
            });
            claims.as_object_mut().unwrap().remove(missing);
            let found = tokens.check(&pair.sign(&claims), NOW);
            assert_eq!(found, Err(TokenError::Invalid), "{missing}");
        }
    }

    #[test]
    fn a_huge_token_is_not_looked_at() {
        let pair = hmac();
        let tokens = tokens(pair.keys());
        let mut fits = json!({"exp": later(60), "pad": ""});
        fits["pad"] = json!("x".repeat(5_900));
        let mut huge = fits.clone();
        huge["pad"] = json!("x".repeat(6_200));

        assert!(tokens.check(&pair.sign(&fits), NOW).is_ok());
        assert_eq!(
            tokens.check(&pair.sign(&huge), NOW),
            Err(TokenError::Invalid)
        );
    }

    #[test]
    fn a_token_that_asks_for_more_than_is_understood_is_refused() {
        let pair = hmac();
        let tokens = tokens(pair.keys());
        let mut header = Header::new(Signed::HS256);
        header.crit = Some(vec!["b64".into()]);

        let token = encode(&header, &good(), &pair.encoding).unwrap();

        assert_eq!(tokens.check(&token, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn of_several_keys_the_one_that_is_named_counts() {
        let (old, new) = (hmac(), hmac_with("another secret of thirty-two chars"));
        let keys = [old.keys_as("2025"), new.keys_as("2026")].concat();
        let tokens = tokens(keys);
        let table = [
            (&old, Some("2025"), true),
            (&new, Some("2026"), true),
            (&old, Some("2026"), false),
            (&old, Some("2027"), false),
            (&old, None, true),
            (&new, None, true),
        ];

        for (pair, id, expected) in table {
            let mut header = Header::new(pair.signed);
            header.kid = id.map(String::from);
            let token = encode(&header, &good(), &pair.encoding).unwrap();
            assert_eq!(tokens.check(&token, NOW).is_ok(), expected, "{id:?}");
        }
    }

    #[test]
    fn a_key_set_says_itself_what_its_keys_are_for() {
        let pairs = pairs();
        let mut jwks: Vec<Value> = pairs.iter().map(Pair::jwk).collect();
        // What a set may have besides: of none of our algorithms, or not for signatures.
        jwks.push(json!({"kty": "RSA", "alg": "RS512", "n": jwks[1]["n"], "e": "AQAB"}));
        jwks.push(json!({"kty": "RSA", "use": "enc", "n": jwks[1]["n"], "e": "AQAB"}));
        jwks.push(json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"}));
        let file = file(json!({"keys": jwks}).to_string().as_bytes());

        let tokens = tokens(read_keys(file.path(), None, None).unwrap());

        assert_eq!(tokens.keys.len(), 4);
        for pair in pairs {
            let mut header = Header::new(pair.signed);
            header.kid = Some(format!("{:?}", pair.signed));
            let token = encode(&header, &good(), &pair.encoding).unwrap();
            assert!(tokens.check(&token, NOW).is_ok(), "{:?}", pair.signed);
        }
    }

    #[test]
    fn a_file_that_has_no_fit_key_is_refused() {
        let pairs = pairs();
        let by = |signed| pairs.iter().find(|pair| pair.signed == signed).unwrap();
        let (rsa, ec, ed) = (by(Signed::RS256), by(Signed::ES256), by(Signed::EdDSA));
        let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let p384: PublicKeyX509Der<'_> = p384.public_key().as_der().unwrap();
        let p384 = pem("PUBLIC KEY", p384.as_ref()).into_bytes();
        let jwks = |jwk: Value| json!({"keys": [jwk]}).to_string().into_bytes();
        let weak = json!({"kty": "oct", "k": "c2hvcnQ"});
        let table: Vec<(&[u8], Option<Algorithm>)> = vec![
            (b"too short\n", Some(Algorithm::Hs256)),
            (&rsa.file, Some(Algorithm::Hs256)),
            (&rsa.file, Some(Algorithm::Es256)),
            (&rsa.file, Some(Algorithm::EdDsa)),
            (&ec.file, Some(Algorithm::Rs256)),
            (&ec.file, Some(Algorithm::EdDsa)),
            (&ed.file, Some(Algorithm::Es256)),
            (&p384, Some(Algorithm::Es256)),
            (&rsa.private, Some(Algorithm::Rs256)),
            (&ec.private, Some(Algorithm::Es256)),
            (b"", Some(Algorithm::Rs256)),
            (b"nonsense", Some(Algorithm::EdDsa)),
            (b"nonsense", None),
            (&rsa.file, None),
        ];

        for (bytes, algorithm) in table {
            let refused = read_keys(file(bytes).path(), algorithm, None);
            let text = refused.expect_err(&format!("{algorithm:?}"));
            assert!(
                !text.contains("too short") && !text.contains("nonsense"),
                "{text}"
            );
        }
        for set in [
            jwks(weak),
            jwks(json!({"kty": "RSA", "n": "AA", "e": "AQAB"})),
            jwks(json!({})),
        ] {
            read_keys(file(&set).path(), None, None).expect_err("a weak key");
        }
        read_keys(Path::new("/nowhere/at/all"), None, None).expect_err("no file");
    }

    #[test]
    fn nobody_reads_a_secret_in_a_trace_of_keys() {
        let tokens = tokens(hmac().keys_as("2026"));

        let trace = format!("{tokens:?}");

        assert!(
            trace.contains("2026") && !trace.contains("thirty"),
            "{trace}"
        );
    }

    /// What signs, and what checks.
    struct Pair {
        signed: Signed,
        encoding: EncodingKey,
        /// The file that the server is given.
        file: Vec<u8>,
        private: Vec<u8>,
        jwk: Value,
    }

    impl Pair {
        fn sign(&self, claims: &Value) -> String {
            encode(&Header::new(self.signed), claims, &self.encoding).unwrap()
        }

        fn keys(&self) -> Vec<Key> {
            read_keys(file(&self.file).path(), Some(self.algorithm()), None).unwrap()
        }

        fn keys_as(&self, id: &str) -> Vec<Key> {
            read_keys(file(&self.file).path(), Some(self.algorithm()), Some(id)).unwrap()
        }

        fn algorithm(&self) -> Algorithm {
            Algorithm::named(&format!("{:?}", self.signed)).unwrap()
        }

        fn jwk(&self) -> Value {
            let mut jwk = self.jwk.clone();
            jwk["kid"] = json!(format!("{:?}", self.signed));
            jwk
        }
    }

    fn pairs() -> Vec<Pair> {
        vec![hmac(), rsa(), ec(), ed()]
    }

    fn hmac() -> Pair {
        hmac_with(SECRET)
    }

    fn hmac_with(secret: &str) -> Pair {
        Pair {
            signed: Signed::HS256,
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            file: format!("{secret}\n").into(),
            private: Vec::new(),
            jwk: json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(secret)}),
        }
    }

    fn rsa() -> Pair {
        static PAIR: OnceLock<RsaKeyPair> = OnceLock::new();
        let pair = PAIR.get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let private = pem("PRIVATE KEY", private.as_ref()).into_bytes();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let modulus = pair.public_key().modulus();
        Pair {
            signed: Signed::RS256,
            encoding: EncodingKey::from_rsa_pem(&private).unwrap(),
            file: pem("PUBLIC KEY", public.as_ref()).into(),
            private,
            jwk: json!({
                "kty": "RSA", "use": "sig", "e": "AQAB",
                "n": URL_SAFE_NO_PAD.encode(modulus.big_endian_without_leading_zero()),
            }),
        }
    }

    fn ec() -> Pair {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        let private = pem("PRIVATE KEY", private.as_ref()).into_bytes();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let point = pair.public_key().as_ref();
        Pair {
            signed: Signed::ES256,
            encoding: EncodingKey::from_ec_pem(&private).unwrap(),
            file: pem("PUBLIC KEY", public.as_ref()).into(),
            private,
            jwk: json!({
                "kty": "EC", "crv": "P-256", "alg": "ES256",
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
                "y": URL_SAFE_NO_PAD.encode(&point[33..]),
            }),
        }
    }

    fn ed() -> Pair {
        let pair = Ed25519KeyPair::generate().unwrap();
        let private = pair.to_pkcs8v1().unwrap();
        let private = pem("PRIVATE KEY", private.as_ref()).into_bytes();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Pair {
            signed: Signed::EdDSA,
            encoding: EncodingKey::from_ed_pem(&private).unwrap(),
            file: pem("PUBLIC KEY", public.as_ref()).into(),
            private,
            jwk: json!({
                "kty": "OKP", "crv": "Ed25519",
                "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
            }),
        }
    }

    fn pem(label: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der).into_bytes();
        let lines: Vec<_> = text
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line))
            .collect();
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            lines.join("\n")
        )
    }

    fn tokens(keys: Vec<Key>) -> Tokens {
        Tokens {
            keys,
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(30),
        }
    }

    fn good() -> Value {
        json!({"sub": "ann", "exp": later(60)})
    }

    /// So many seconds after now.
    fn later(seconds: i64) -> i64 {
        1_700_000_000 + seconds
    }

    fn file(bytes: &[u8]) -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(&file, bytes).unwrap();
        file
    }
}
