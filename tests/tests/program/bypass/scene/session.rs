//! Scenes of sessions: one with each of two providers.

use super::{Cast, Scene};

pub fn of(name: &str) -> Scene {
    let mut cast = Cast::new();
    let providers = cast.providers;
    let [session, other] = [0, 1].map(|each| cast.world.new_session(&providers[each]));
    if name != "session_open" {
        for session in [&session, &other] {
            let open = cast.world.session_open(session);
            cast.world.send(open).accepted();
        }
    }
    let call = match name {
        "session_open" => cast.world.session_open(&session),
        "session_top_up" => cast.world.session_top_up(&session, 1_000),
        "session_settle" => cast.world.session_settle(&session, 1_000),
        "session_close_request" => cast.world.session_close_request(&session),
        _ => {
            cast.world.pass_session_slot(&session);
            cast.world.session_close(&session, &providers[0])
        }
    };
    let mut scene = cast.scene(call, None);
    scene.siblings.push(("session", other.account));
    scene
}
