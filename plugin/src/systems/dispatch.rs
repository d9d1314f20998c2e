//! Turns the agent's events into entity events, messages and components.

use std::sync::{Arc, Once};
use std::time::Duration;

use bevy_ecs::change_detection::DetectChangesMut;
use bevy_ecs::entity::Entity;
use bevy_ecs::entity_disabling::Disabled;
use bevy_ecs::message::Messages;
use bevy_ecs::query::Allow;
use bevy_ecs::system::{Commands, Query, ResMut};
use httpoll::clock::system_time;
use httpoll::{Error, Event, RequestId, Response};

use crate::components::owner::RequestedBy;
use crate::components::phase::HttpPhase;
use crate::components::progress::HttpProgress;
use crate::components::request::HttpRequest;
use crate::components::retry::HttpRetry;
#[cfg(feature = "cache")]
use crate::events::request::HttpCacheUpdated;
use crate::events::request::{
    HttpChunk, HttpError, HttpFinished, HttpFramedMessage, HttpHead, HttpOutcome, HttpProgressed,
    HttpResponse, HttpServerSentEvent,
};
#[cfg(feature = "websocket")]
use crate::events::request::{HttpWebSocketClosed, HttpWebSocketMessage, HttpWebSocketOpened};
use crate::job::{Job, Stage};
use crate::resources::agent::HttpAgent;
#[cfg(feature = "assets")]
use crate::resources::asset_loads::HttpAssetLoads;
use crate::systems::deliver::{Outbox, release};

type Shown<'w, 's> = Query<
    'w,
    's,
    (
        &'static mut HttpPhase,
        &'static mut HttpProgress,
        Option<&'static RequestedBy>,
        Option<&'static HttpRequest>,
        Option<&'static HttpRetry>,
    ),
    Allow<Disabled>,
>;

pub(crate) fn dispatch(
    http: Option<ResMut<HttpAgent>>,
    mut shown: Shown,
    finished: Option<ResMut<Messages<HttpFinished>>>,
    #[cfg(feature = "assets")] mut loads: Option<ResMut<HttpAssetLoads>>,
    mut commands: Commands,
) {
    let Some(mut http) = http else { return };
    let mut is_changed = http.jobs.has_rejected();
    let inner = http.bypass_change_detection();
    let began = inner.now();
    let mut finished = finished;
    for (entity, serial, error) in inner.jobs.take_rejected() {
        let Some(job) = inner.jobs.job_mut(entity, serial) else {
            continue;
        };
        job.stage = Stage::Over;
        job.is_last = true;
        let mut outbox = Outbox::new(&mut commands, entity, serial);
        let outcome = Err((error, None));
        end(entity, job, outcome, &mut outbox, &mut shown, &mut finished);
    }
    while let Some(event) = inner.agent.next_event() {
        is_changed = true;
        let Some(id) = event.id() else {
            #[cfg(feature = "cache")]
            if let Event::CacheUpdated { url, response, .. } = event {
                commands.trigger(HttpCacheUpdated {
                    url: url.to_string(),
                    response: Arc::from(response),
                });
            }
            continue;
        };
        #[cfg(feature = "assets")]
        let event = match &mut loads {
            Some(loads) => match loads
                .bypass_change_detection()
                .take(&mut inner.agent, event)
            {
                Some(event) => event,
                None => {
                    loads.set_changed();
                    continue;
                }
            },
            None => event,
        };
        report(inner, id, event, &mut shown, &mut finished, &mut commands);
    }
    for delivery in inner.mailbox.take() {
        if inner.jobs.job(delivery.request, delivery.serial).is_some() {
            commands.queue(delivery.trigger);
            commands.queue(release(delivery.request, delivery.serial));
        }
    }
    inner
        .frame
        .spend(inner.now().saturating_duration_since(began));
    if is_changed {
        http.set_changed();
    }
}

fn report(
    http: &mut HttpAgent,
    id: RequestId,
    event: Event,
    shown: &mut Shown,
    finished: &mut Option<ResMut<Messages<HttpFinished>>>,
    commands: &mut Commands,
) {
    let Some((entity, job)) = http.jobs.by_id(id) else {
        return;
    };
    let request = entity;
    let mut outbox = Outbox::new(commands, request, job.serial);
    let mut enter = |phase, job: &mut Job, outbox: &mut Outbox| {
        let mut components = shown.get_mut(request).ok();
        outbox.enter(phase, job, components.as_mut().map(|(phase, ..)| phase));
    };
    match event {
        Event::Queued { .. } => enter(HttpPhase::Queue, job, &mut outbox),
        Event::StillQueued { waited, reason, .. } => {
            let named = shown.get(request).ok();
            let named = named.and_then(|(.., request, _)| request.map(ToString::to_string));
            let named = named.unwrap_or_else(|| format!("the request of entity {request}"));
            log::warn!("{named} has waited {waited:?} for a connection: {reason}");
        }
        Event::Phase { phase, .. } => {
            if let Some(phase) = HttpPhase::of(phase) {
                enter(phase, job, &mut outbox);
            }
        }
        Event::WillRetry { .. } => enter(HttpPhase::AwaitRetry, job, &mut outbox),
        Event::Head {
            head,
            content_length,
            ..
        } if job.reports_progress => outbox.trigger(HttpHead {
            entity,
            request,
            head: std::sync::Arc::unwrap_or_clone(head),
            content_length,
        }),
        Event::Progress { progress, .. } => {
            let progress = HttpProgress::from(progress);
            let reports = job.reports_progress;
            let (sent, received) = note(progress, request, shown);
            if reports {
                outbox.trigger(HttpProgressed {
                    entity,
                    request,
                    progress,
                });
            }
            http.frame.sent += sent;
            http.frame.received += received;
        }
        Event::Chunk { bytes, .. } => outbox.trigger(HttpChunk {
            entity,
            request,
            bytes,
        }),
        Event::ServerSent { event, .. } => outbox.trigger(HttpServerSentEvent {
            entity,
            request,
            event,
        }),
        Event::Message { message, .. } => outbox.trigger(HttpFramedMessage {
            entity,
            request,
            message,
        }),
        #[cfg(feature = "websocket")]
        Event::WebSocketOpen { subprotocol, .. } => {
            job.is_established = true;
            enter(HttpPhase::ReceiveBody, job, &mut outbox);
            outbox.trigger(HttpWebSocketOpened {
                entity,
                request,
                subprotocol,
            });
        }
        #[cfg(feature = "websocket")]
        Event::WebSocketMessage { message, .. } => outbox.trigger(HttpWebSocketMessage {
            entity,
            request,
            message,
        }),
        #[cfg(feature = "websocket")]
        Event::WebSocketClosed { frame, .. } => outbox.trigger(HttpWebSocketClosed {
            entity,
            request,
            frame,
        }),
        Event::Done { response, .. } => {
            #[cfg(feature = "diagnostics")]
            if !response.is_from_cache() {
                http.frame.timings.push(*response.timings());
            }
            let outcome = Ok(Arc::from(response));
            let moved = end(entity, job, outcome, &mut outbox, shown, finished);
            http.frame.sent += moved.0;
            http.frame.received += moved.1;
            http.jobs.over(id);
        }
        Event::Failed {
            error, response, ..
        } => {
            let outcome = Err((error, response.map(Arc::from)));
            let moved = end(entity, job, outcome, &mut outbox, shown, finished);
            http.frame.sent += moved.0;
            http.frame.received += moved.1;
            http.jobs.over(id);
        }
        // The other events add nothing: without a stream the response has the head, and the phases
        // that follow show a redirect.
        _ => {}
    }
}

/// Updates the progress component. Returns the bytes sent and received since the last update.
fn note(progress: HttpProgress, request: Entity, shown: &mut Shown) -> (u64, u64) {
    let Ok((_, mut component, ..)) = shown.get_mut(request) else {
        return (0, 0);
    };
    let before = *component;
    component.set_if_neq(progress);
    (
        progress.sent.saturating_sub(before.sent),
        progress.received.saturating_sub(before.received),
    )
}

/// Reports the end of a request: phase, message, event, end of life. Returns the bytes sent and received
/// since the last progress.
fn end(
    entity: Entity,
    job: &mut Job,
    outcome: Result<Arc<Response>, (Error, Option<Arc<Response>>)>,
    outbox: &mut Outbox,
    shown: &mut Shown,
    finished: &mut Option<ResMut<Messages<HttpFinished>>>,
) -> (u64, u64) {
    let request = entity;
    let mut components = shown.get_mut(request).ok();
    let to = match &outcome {
        Ok(_) => HttpPhase::Done,
        Err(_) => HttpPhase::Failed,
    };
    let phase = components.as_mut().map(|(phase, ..)| phase);
    outbox.enter(to, job, phase);
    let owner = components
        .as_ref()
        .and_then(|(_, _, owner, ..)| owner.map(|owner| owner.0));
    let response = match &outcome {
        Ok(response) => Some(response),
        Err((_, response)) => response.as_ref(),
    };
    job.retry_after = response.and_then(|response| retry_after(response));
    let response_status = response.map(|response| response.status().as_u16());
    let is_temporary = matches!(&outcome, Err((error, _)) if error.is_retryable());
    // A session that was open ends a series of failures, however it ends itself.
    if job.is_established {
        (job.failures, job.failed_attempts) = (0, 0);
    } else {
        job.failed_attempts = job.failed_attempts.saturating_add(1);
    }
    job.failures = match &outcome {
        Ok(response) if !is_overloaded(response.status().as_u16()) => 0,
        _ => job.failures.saturating_add(1),
    };
    if let Some(finished) = finished {
        finished.write(HttpFinished {
            request,
            owner,
            outcome: match &outcome {
                Ok(response) => HttpOutcome::Done(Arc::clone(response)),
                Err((error, _)) => HttpOutcome::Failed(error.clone()),
            },
        });
    }
    let mut moved = (0, 0);
    match outcome {
        Ok(response) => {
            if let Some((_, progress, ..)) = &mut components {
                let transferred = response.transferred();
                let saved = response.saved().map(|saved| saved.bytes);
                let received = saved.unwrap_or(transferred.received);
                let whole = HttpProgress {
                    sent: progress.sent.max(transferred.sent),
                    to_send: progress.to_send.or(Some(transferred.sent)),
                    received: progress.received.max(received),
                    to_receive: progress.to_receive.or(Some(received)),
                };
                moved = (
                    whole.sent - progress.sent,
                    transferred.received.saturating_sub(progress.received),
                );
                // Content that arrives within one poll ends without progress before.
                if progress.set_if_neq(whole) && job.reports_progress && !job.is_endless {
                    outbox.trigger(HttpProgressed {
                        entity,
                        request,
                        progress: whole,
                    });
                }
            }
            outbox.trigger(HttpResponse {
                entity,
                request,
                body: response.body().clone(),
                response,
            });
        }
        Err((error, response)) => {
            let event = HttpError {
                entity,
                request,
                error,
                response,
            };
            outbox.trigger_error(event, job.failures == 1);
        }
    }
    if let Some((_, _, _, Some(request), Some(retry))) = &components {
        let status = response_status;
        if !job.is_retried && retry.refuses(request, status, is_temporary) {
            explain_retries(request);
        }
    }
    outbox.finish();
    moved
}

/// Logs once why a request was not retried.
fn explain_retries(request: &HttpRequest) {
    static EXPLAINED: Once = Once::new();
    EXPLAINED.call_once(|| {
        log::warn!(
            "{request} failed and is not retried in spite of HttpRetry, because its method is not \
             idempotent: the server may have carried it out. If the server supports it, add \
             HttpRequest::idempotency_key"
        );
    });
}

/// How long the server asks to wait (RFC 9110 §10.2.3), if it does.
fn retry_after(response: &Response) -> Option<Duration> {
    response.retry_after(system_time())
}

/// Whether the server asks for fewer requests.
fn is_overloaded(status: u16) -> bool {
    status == 429 || status >= 500
}
