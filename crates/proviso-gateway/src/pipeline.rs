//! The request path: `authenticate → classify → decide → forward → filter → audit → respond`.
//!
//! Each verb is a module; each takes the previous one's value by move. Only `decide` can make a
//! [`crate::decide::Permitted`], only `filter` a [`crate::filter::Filtered`], only `audit` an
//! [`crate::audit::Audited`], and only that becomes a response. There is no other way out.

use axum::body::Body;
use http::{Request, Response};
use proviso_core::id::RequestId;

use crate::audit::{audit, unrecorded};
use crate::authenticate::authenticate;
use crate::classify::{Classified, Work, classify};
use crate::decide::decide;
use crate::door::receive;
use crate::filter::{Filtered, filter, in_one_bundle, refuse};
use crate::forward::forward;
use crate::gateway::Gateway;
use crate::respond::respond;
use crate::stop::Stopped;

/// Answers one request below the FHIR base.
pub(crate) async fn answer(gateway: &Gateway, request: Request<Body>) -> Response<Body> {
    let at = gateway.app.now();
    let Ok(entropy) = gateway.app.entropy().for_id() else {
        // Without randomness there is no request id, no entry and hence no answer.
        return crate::respond::nothing_at_all();
    };
    let id = RequestId::generate(at, entropy);

    let received = match receive(gateway, request, id.clone(), at).await {
        Ok(received) => received,
        Err(refusal) => return respond(gateway, unrecorded(&refusal, id)),
    };
    let origin = received.headers.origin.clone();
    let walked = async {
        let authenticated = authenticate(gateway, received).await?;
        match classify(gateway, authenticated)? {
            Work::Single(classified) => one(gateway, *classified).await,
            Work::Batch { entries, bundle } => {
                let mut answers = Vec::with_capacity(entries.len());
                for entry in entries {
                    let answer = match entry {
                        Ok(classified) => one(gateway, classified).await,
                        Err(stopped) => Err(stopped),
                    };
                    answers.push(answer.unwrap_or_else(refuse));
                }
                Ok(in_one_bundle(answers, *bundle))
            }
        }
    };
    let filtered = walked.await.unwrap_or_else(refuse);
    let audited = audit(gateway, filtered, origin).await;
    respond(gateway, audited)
}

/// One interaction, whether it came by itself or as an entry of a batch.
async fn one(gateway: &Gateway, classified: Classified) -> Result<Filtered, Stopped> {
    let permitted = decide(gateway, classified)?;
    let forwarded = forward(gateway, permitted).await?;
    filter(gateway, forwarded)
}
