use edge_core::object::{CLUSTER_ANNOTATION, Condition, Destination, SinglePlacementSlice};
use edge_core::slices::Digest;

use super::*;
use crate::scheduler::testing::{Reply, Server};

const SLICE: &str = r#"{"apiVersion":"edge.kcp.io/v1alpha1","kind":"SinglePlacementSlice",
    "metadata":{"name":"s","uid":"u","resourceVersion":"8"},"destinations":[]}"#;

fn one() -> Clusters {
    Clusters::One("default".into())
}

fn key() -> ObjectKey {
    ObjectKey::new("default", "s")
}

fn slice() -> SinglePlacementSlice {
    let mut slice = SinglePlacementSlice::default();
    slice.metadata.name = "s".into();
    slice.metadata.annotations.insert(CLUSTER_ANNOTATION.into(), "default".into());
    slice.destinations = vec![Destination { cluster: "c".into(), ..Destination::default() }];
    slice
}

fn write(verb: Verb) -> Write {
    let object = (verb != Verb::Delete).then(slice);
    let (uid, version) = if verb == Verb::Create { (None, None) } else { (Some("u".into()), Some("7".into())) };
    Write { verb, key: key(), object, uid, resource_version: version }
}

fn target(server: &Server) -> Target {
    Target { client: server.client(), prefix: String::new(), status_subresource: true }
}

/// What comes of `action` if the server answers with `reply`.
async fn outcome(action: Action, reply: Reply) -> Outcome {
    let server = Server::start(move |_| reply.clone()).await;
    target(&server).perform(&one(), action).await
}

async fn failure(code: u16, body: &str) -> Failure {
    match outcome(Action::Write(write(Verb::Replace)), Reply::new(code, body)).await {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_code_and_reason_has_its_meaning() {
    let status = |reason: &str| format!(r#"{{"kind":"Status","reason":"{reason}","message":"why"}}"#);
    assert_eq!(failure(409, &status("Conflict")).await, Failure::Conflict);
    assert_eq!(failure(409, &status("AlreadyExists")).await, Failure::AlreadyExists);
    assert_eq!(failure(409, "").await, Failure::Conflict);
    assert_eq!(failure(404, &status("NotFound")).await, Failure::NotFound);
    assert_eq!(failure(410, &status("Gone")).await, Failure::NotFound);
    for code in [401, 403] {
        assert_eq!(failure(code, &status("x")).await, Failure::Forbidden(format!("{code}: why")));
    }
    for code in [400, 405, 413, 415, 422] {
        assert_eq!(failure(code, &status("x")).await, Failure::Rejected(format!("{code}: why")));
    }
    for code in [408, 500, 502, 503, 504] {
        assert_eq!(failure(code, &status("x")).await, Failure::Unknown(format!("{code}: why")));
    }
    assert_eq!(failure(302, "moved").await, Failure::NotDone("302: moved".into()));
    assert_eq!(failure(500, "<html>").await, Failure::Unknown("500: <html>".into()));
    assert_eq!(failure(500, "").await, Failure::Unknown("500 Internal Server Error".into()));
}

#[tokio::test]
async fn a_busy_server_says_until_when() {
    let busy = |code, header: Option<&'static str>, body: &'static str| async move {
        let reply = header.into_iter().fold(Reply::new(code, body), |reply, value| reply.header("retry-after", value));
        outcome(Action::ReadSlice(key()), reply).await
    };
    let expected = |seconds: Option<u64>| Outcome::Failed(Failure::Busy(seconds.map(Duration::from_secs)));
    assert_eq!(busy(429, Some("3"), "").await, expected(Some(3)));
    assert_eq!(busy(429, None, "").await, expected(None));
    assert_eq!(busy(429, Some("soon"), r#"{"details":{"retryAfterSeconds":5}}"#).await, expected(Some(5)));
    assert_eq!(busy(503, Some("1"), "").await, expected(Some(1)));
    assert_eq!(busy(500, Some("1"), "").await, Outcome::Failed(Failure::Unknown("500 Internal Server Error".into())));
}

#[tokio::test]
async fn long_messages_are_cut() {
    let Failure::Rejected(message) = failure(422, &"ä".repeat(5000)).await else { panic!() };
    assert!(message.chars().count() < 1100 && message.ends_with('…'));
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_it_unknown() {
    for body in ["", "{", "[]", "<html>", r#"{"kind":"Status","status":"Success"}"#, r#"{"metadata":{"name":"s"}}"#] {
        for action in [Action::Write(write(Verb::Create)), Action::ReadSlice(key())] {
            let outcome = outcome(action, Reply::new(200, body)).await;
            assert!(matches!(outcome, Outcome::Failed(Failure::Unknown(_))), "{body}: {outcome:?}");
        }
    }
    let outcome = outcome(Action::Write(write(Verb::Delete)), Reply::new(200, "<html>")).await;
    assert!(matches!(outcome, Outcome::Failed(Failure::Unknown(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_slice_that_was_read_may_be_unreadable() {
    let body = r#"{"metadata":{"name":"s","uid":"u","resourceVersion":"8"},"destinations":{}}"#;
    let read = outcome(Action::ReadSlice(key()), Reply::new(200, body)).await;
    let Outcome::Unreadable(metadata) = read else { panic!("{read:?}") };
    assert_eq!((metadata.uid.as_str(), metadata.cluster()), ("u", Some("default")));
    let written = outcome(Action::Write(write(Verb::Replace)), Reply::new(200, body)).await;
    assert!(matches!(written, Outcome::Failed(Failure::Unknown(_))), "{written:?}");
}

#[tokio::test]
async fn a_request_that_was_never_sent_was_not_done() {
    let server = Server::start(|_| Reply::new(200, "")).await;
    let target = target(&server);
    server.stop().await;
    let outcome = target.perform(&one(), Action::ReadSlice(key())).await;
    let Outcome::Failed(Failure::NotDone(reason)) = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("refused"), "{reason}");
}

#[tokio::test]
async fn a_lost_answer_leaves_it_unknown() {
    for reply in [Reply::hang_up(), Reply::new(200, SLICE).cut_off()] {
        let outcome = outcome(Action::Write(write(Verb::Replace)), reply).await;
        assert!(matches!(outcome, Outcome::Failed(Failure::Unknown(_))), "{outcome:?}");
    }
    let server = Server::start(|_| Reply::never()).await;
    let lost = send(&server.client(), get("/x").unwrap(), Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(lost, Lost::Unknown(_)), "{lost:?}");
}

#[tokio::test]
async fn slices_are_written_without_the_annotation_and_read_back_as_they_were() {
    let server = Server::start(|request| {
        // As a server does: what is sent, with an identity.
        let mut object: Value = serde_json::from_str(&request.body).unwrap();
        object["metadata"]["uid"] = "u".into();
        object["metadata"]["resourceVersion"] = "8".into();
        Reply::new(201, object.to_string())
    })
    .await;
    let created = target(&server).perform(&one(), Action::Write(write(Verb::Create))).await;
    let mut expected = slice();
    expected.metadata.uid = "u".into();
    expected.metadata.resource_version = "8".into();
    let digest = Digest::of(expected.destinations.iter().map(Into::into));
    assert_eq!(created, Outcome::ThinSlice(expected.metadata, digest));
    let request = server.requests().remove(0);
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/apis/edge.kcp.io/v1alpha1/singleplacementslices")
    );
    let sent: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(sent["metadata"], json!({"name": "s"}));
}

#[tokio::test]
async fn replacements_and_deletions_carry_their_preconditions() {
    let server = Server::start(|_| Reply::new(200, SLICE)).await;
    let mut target = target(&server);
    target.prefix = "/clusters/c1".into();
    let replaced = target.perform(&one(), Action::Write(write(Verb::Replace))).await;
    assert!(matches!(replaced, Outcome::ThinSlice(..)));
    // It waits for finalizers.
    let deleted = target.perform(&one(), Action::Write(write(Verb::Delete))).await;
    assert!(matches!(deleted, Outcome::ThinSlice(..)));
    let [put, delete] = server.requests().try_into().unwrap();
    let path = "/clusters/c1/apis/edge.kcp.io/v1alpha1/singleplacementslices/s";
    assert_eq!((put.method.as_str(), put.path.as_str()), ("PUT", path));
    let sent: Value = serde_json::from_str(&put.body).unwrap();
    assert_eq!(sent["metadata"], json!({"name": "s", "uid": "u", "resourceVersion": "7"}));
    assert_eq!((delete.method.as_str(), delete.path.as_str()), ("DELETE", path));
    let sent: Value = serde_json::from_str(&delete.body).unwrap();
    assert_eq!(sent["preconditions"], json!({"uid": "u", "resourceVersion": "7"}));
    assert_eq!(sent["propagationPolicy"], "Background");
}

#[tokio::test]
async fn a_deletion_that_took_effect_is_answered_by_a_status() {
    let body = r#"{"kind":"Status","status":"Success","details":{"uid":"u"}}"#;
    assert_eq!(outcome(Action::Write(write(Verb::Delete)), Reply::new(200, body)).await, Outcome::Deleted);
}

#[tokio::test]
async fn placements_are_read_for_their_uid() {
    let read = |code, body: &'static str| outcome(Action::ReadPlacement(key()), Reply::new(code, body));
    let object = r#"{"metadata":{"uid":"u","resourceVersion":"1"},"spec":7}"#;
    assert_eq!(read(200, object).await, Outcome::Placement { uid: "u".into() });
    assert_eq!(read(404, "").await, Outcome::Failed(Failure::NotFound));
    assert!(matches!(read(200, "{}").await, Outcome::Failed(Failure::Unknown(_))));
}

fn status() -> StatusWrite {
    let condition = |time: Option<&str>| Condition {
        kind: "Resolved".into(),
        last_transition_time: time.map(Into::into),
        ..Condition::default()
    };
    StatusWrite {
        key: key(),
        uid: "u".into(),
        spec_generation: Some(3),
        matching_location_count: Some(0),
        destination_count: None,
        slice_count: None,
        conditions: Some(vec![condition(None), condition(Some("2020-01-01T00:00:00Z"))]),
    }
}

#[test]
fn a_status_has_what_is_given_and_the_time_where_none_is() {
    assert_eq!(
        status_patch(status(), None, || "now".into()),
        json!({
            "metadata": {"uid": "u"},
            "status": {
                "specGeneration": 3,
                "matchingLocationCount": 0,
                "conditions": [
                    {"type": "Resolved", "status": "", "reason": "", "message": "", "lastTransitionTime": "now"},
                    {"type": "Resolved", "status": "", "reason": "", "message": "", "lastTransitionTime": "2020-01-01T00:00:00Z"},
                ],
            },
        })
    );
}

#[tokio::test]
async fn a_status_goes_to_the_subresource_of_the_very_object() {
    let server = Server::start(|_| Reply::new(200, r#"{"metadata":{"uid":"u","resourceVersion":"9"}}"#)).await;
    let mut target = target(&server);
    assert_eq!(target.perform(&one(), Action::Status(status())).await, Outcome::StatusWritten);
    let mut other = status();
    other.uid = "other".into();
    assert_eq!(target.perform(&one(), Action::Status(other)).await, Outcome::Failed(Failure::Conflict));
    target.status_subresource = false;
    assert_eq!(target.perform(&one(), Action::Status(status())).await, Outcome::StatusWritten);
    let path = "/apis/edge.kcp.io/v1alpha1/edgeplacements/s";
    let requests = server.requests();
    let lines: Vec<String> = requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    let [get, patch] = [format!("GET {path}"), format!("PATCH {path}")];
    assert_eq!(lines, [get.clone(), format!("{patch}/status"), get, patch]);
    assert_eq!(requests[1].content_type, "application/merge-patch+json");
    let sent: Value = serde_json::from_str(&requests[1].body).unwrap();
    assert_eq!(sent["metadata"], json!({"uid": "u", "resourceVersion": "9"}));
    let time = sent["status"]["conditions"][0]["lastTransitionTime"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
}
