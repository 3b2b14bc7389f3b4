//! Keys of apps and the assertions they sign (RFC 7523, SMART App Launch 2.2 "asymmetric").

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA384, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A private key with its `kid`.
#[derive(Debug)]
pub struct SigningKey {
    /// What the key is called in headers and sets.
    pub kid: String,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Es384(EcdsaKeyPair),
    Rs384(RsaKeyPair),
}

impl SigningKey {
    /// A new ES384 key.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn es384(kid: &str) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)?;
        Ok(Self { kid: kid.to_owned(), pair: Pair::Es384(pair) })
    }

    /// A new RS384 key of 2048 bits.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn rs384(kid: &str) -> anyhow::Result<Self> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
        Ok(Self { kid: kid.to_owned(), pair: Pair::Rs384(pair) })
    }

    /// The ES384 key of an app of the demo, as `demo-clients.json` has it.
    ///
    /// # Errors
    /// When the app has none.
    pub fn of_demo_client(client: &Value) -> anyhow::Result<Self> {
        let kid = client["private_jwk"]["kid"].as_str().context("no `kid`")?;
        let pem = client["private_key_pem"].as_str().context("no private key")?;
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let document = STANDARD.decode(body)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &document)
            .map_err(|error| anyhow::anyhow!("not a P-384 key: {error}"))?;
        Ok(Self { kid: kid.to_owned(), pair: Pair::Es384(pair) })
    }

    /// The `alg` it signs with.
    pub const fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es384(_) => "ES384",
            Pair::Rs384(_) => "RS384",
        }
    }

    /// The public half as a JWK.
    ///
    /// # Errors
    /// When the key cannot be written.
    pub fn public_jwk(&self) -> anyhow::Result<Value> {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Ok(match &self.pair {
            Pair::Es384(pair) => {
                // SEC 1 §2.3.3: 0x04, then both coordinates of 48 bytes.
                let point = pair.public_key().as_ref();
                let (x, y) = point
                    .strip_prefix(&[4])
                    .and_then(|point| point.split_at_checked(48))
                    .context("no uncompressed point")?;
                json!({
                    "kty": "EC", "crv": "P-384", "x": encode(x), "y": encode(y),
                    "alg": "ES384", "use": "sig", "kid": self.kid,
                })
            }
            Pair::Rs384(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                    "alg": "RS384", "use": "sig", "kid": self.kid,
                })
            }
        })
    }

    /// Signs a header and claims as they are, so that tests can get both wrong.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign(&self, header: &Value, claims: &Value) -> anyhow::Result<String> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Es384(pair) => pair.sign(&random, text.as_bytes())?.as_ref().to_vec(),
            Pair::Rs384(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA384, &random, text.as_bytes(), &mut signature)?;
                signature
            }
        };
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The header that the certification kit sends.
    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm(), "kid": self.kid, "typ": "JWT" })
    }

    /// The claims that the certification kit sends: no `iat`, no `nbf`, five minutes.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn claims(client_id: &str, audience: &str) -> anyhow::Result<Value> {
        let exp = now_secs()? + 300;
        let jti = random_hex()?;
        Ok(json!({
            "iss": client_id, "sub": client_id, "aud": audience, "exp": exp, "jti": jti,
        }))
    }

    /// An assertion as the certification kit makes it.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn assertion(&self, client_id: &str, audience: &str) -> anyhow::Result<String> {
        self.sign(&self.header(), &Self::claims(client_id, audience)?)
    }
}

/// The time that an app tells in its assertions.
///
/// # Errors
/// Never in practice.
pub fn now_secs() -> anyhow::Result<i64> {
    #[expect(clippy::disallowed_methods, reason = "an app outside has no clock but the system's")]
    let now = SystemTime::now();
    Ok(i64::try_from(now.duration_since(UNIX_EPOCH)?.as_secs())?)
}

/// 32 random bytes as 64 hex digits.
///
/// # Errors
/// When there is no randomness.
pub fn random_hex() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("no randomness"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// One part of a JWT as JSON: 0 is the header, 1 the claims. Nothing is verified.
///
/// # Errors
/// When it is not a JWT.
pub fn jwt_part(token: &str, part: usize) -> anyhow::Result<Value> {
    let text = token.split('.').nth(part).context("not a JWT")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text)?)?)
}
