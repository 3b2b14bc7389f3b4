//! The request path: `authenticate → classify → decide → forward → filter → audit → respond`.
//!
//! Each verb is a module; each takes the previous one's value by move. Only `decide` can make a
//! [`crate::decide::Permitted`], only `filter` a [`crate::filter::Filtered`], only `audit` an
//! [`crate::audit::Audited`], and only that becomes a response. There is no other way out.
//!
//! A change is made in `settle`, the first half of the sixth verb, because it and its entry in the
//! log are one commit; `audit`, the second half, records everything else.

use axum::body::Body;
use http::{Request, Response};
use proviso_core::id::RequestId;

use crate::audit::{Settled, audit, settle, unrecorded};
use crate::authenticate::authenticate;
use crate::beat::Beat;
use crate::classify::{Classified, Together, Work, classify};
use crate::decide::{Permitted, decide, decide_together};
use crate::door::receive;
use crate::filter::{Filtered, filter, filter_together, refuse};
use crate::forward::{forward, forward_together};
use crate::gateway::Gateway;
use crate::kept::recall;
use crate::respond::respond;
use crate::stop::Stopped;

/// Answers one request below the FHIR base.
pub(crate) async fn answer(gateway: &Gateway, request: Request<Body>) -> Response<Body> {
    let at = gateway.app.now();
    let beat = Beat::begin(gateway.settings.limits.not_found_beat);
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
        let (work, key) = classify(gateway, authenticated)?;
        Ok(match recall(gateway, key, work).await? {
            // Boxed: what a request needs on its way is large, and waiting ones should be small.
            Work::Single(classified) => Box::pin(one(gateway, *classified)).await,
            Work::Batch { entries, bundle } => {
                let mut answers = Vec::with_capacity(entries.len());
                for entry in entries {
                    answers.push(match entry {
                        Ok(classified) => Box::pin(one(gateway, classified)).await,
                        Err(stopped) => settle(gateway, refuse(stopped)).await,
                    });
                }
                Settled::batch(answers, *bundle)
            }
            Work::Transaction(entries) => Box::pin(together(gateway, *entries)).await?,
        })
    };
    let settled = match walked.await {
        Ok(settled) => settled,
        Err(stopped) => settle(gateway, refuse(stopped)).await,
    };
    let telling = settled.telling();
    let response = respond(gateway, audit(gateway, settled, origin).await);
    // Not the randomness of the request's id, which the answer tells.
    if let Some(beat) = beat
        && let Ok(entropy) = gateway.app.entropy().for_id()
    {
        beat.keep(telling, entropy).await;
    }
    response
}

/// One interaction, whether it came by itself or as an entry of a batch.
async fn one(gateway: &Gateway, classified: Classified) -> Settled {
    let answer = match decide(gateway, classified).await {
        Ok(permitted) => carry_out(gateway, permitted).await,
        Err(stopped) => Err(stopped),
    };
    settle(gateway, answer.unwrap_or_else(refuse)).await
}

async fn carry_out(gateway: &Gateway, permitted: Permitted) -> Result<Filtered, Stopped> {
    let forwarded = forward(gateway, permitted).await?;
    filter(gateway, forwarded)
}

/// A transaction: its changes happen together or not at all; its reads see what came of them, and
/// each of them has an answer of its own.
async fn together(gateway: &Gateway, entries: Together) -> Result<Settled, Stopped> {
    let permitted = decide_together(gateway, entries).await?;
    let forwarded = forward_together(gateway, permitted).await?;
    let (filtered, reads) = filter_together(gateway, forwarded)?;
    let mut settled = settle(gateway, filtered).await;
    if settled.is_bundle() {
        for (index, read) in reads {
            let answer = carry_out(gateway, read).await.unwrap_or_else(refuse);
            settled = settled.and_read(index, settle(gateway, answer).await);
        }
    }
    Ok(settled)
}
