//! Texts that are held until their peer is back.

use crate::script_keys::{CLAIM, Caller, keyed, types, world_of};
use crate::stories::{MS, SCRIPT, SCRIPT_IP, act, calm_world_of, messages};
use crate::world::{Act, Fate, World};
use chinwag::chat::held::HeldState;
use chinwag::chat::node::Config;
use chinwag::chat::notice::{Later, Notice, Prompt};
use chinwag::limits::HELD_QUESTION_GRACE;
use std::time::Duration;

/// A world in which the first host holds texts for the second one, which is not there.
fn holding(texts: &[&str]) -> World {
    let mut world = calm_world_of(2, &Config::default());
    world.run_for(MS);
    world.befall(1, Fate::Killed, Duration::ZERO);
    world.run_for(MS);
    for text in texts {
        act(&mut world, 0, Act::Line(format!("/later 10.0.0.2:8080 {text}")));
    }
    world
}

fn held(world: &World) -> Vec<HeldState> {
    world.node(0).held().texts().map(|held| held.state).collect()
}

fn came(world: &World) -> Vec<Later> {
    let later = |notice: &Notice| match notice {
        Notice::Later { what, .. } => Some(*what),
        _ => None,
    };
    world.hosts[0].notices.iter().filter_map(later).collect()
}

#[test]
fn what_is_held_arrives_once_and_in_order_when_the_peer_comes_back() {
    let mut world = holding(&["one", "two"]);
    assert_eq!(world.hosts[0].dialled, [0, 0], "nobody is dialled for it");
    world.befall(1, Fate::Started, Duration::ZERO);
    world.run_for(MS);
    act(&mut world, 1, Act::Connect(0));
    assert_eq!(messages(&world, 1), ["one", "two"]);
    assert_eq!(came(&world), [Later::HeldForThisRun, Later::HeldForThisRun, Later::Delivered]);
    assert_eq!(held(&world), []);
    act(&mut world, 1, Act::Say(0));
    assert_eq!(messages(&world, 1).len(), 2);
}

#[test]
fn whenever_the_peer_dies_a_text_was_read_is_in_doubt_or_is_still_held() {
    let mut seen = [0; 3];
    for after in 0..600 {
        let mut world = holding(&["precious"]);
        world.befall(1, Fate::Started, Duration::ZERO);
        world.run_for(MS);
        world.want(1, Act::Connect(0), Duration::ZERO);
        world.befall(1, Fate::Killed, after * MS / 2);
        world.run_for(1500 * MS);
        let arrived = messages(&world, 1).len();
        match held(&world)[..] {
            [] => {
                assert_eq!(arrived, 1, "it was lost at {after}");
                seen[0] += 1;
            }
            [HeldState::Unconfirmed] => seen[1] += 1,
            [HeldState::Waiting] => {
                assert_eq!(arrived, 0, "it would come twice at {after}");
                seen[2] += 1;
            }
            ref other => panic!("{other:?} at {after}"),
        }
        let is_waiting = held(&world) == [HeldState::Waiting];
        world.befall(1, Fate::Started, Duration::ZERO);
        world.run_for(MS);
        act(&mut world, 1, Act::Connect(0));
        assert_eq!(messages(&world, 1).len(), arrived + usize::from(is_waiting), "at {after}");
    }
    assert!(seen[0] > 0 && seen[2] > 0, "{seen:?}");
}

/// One text waits on a session of which it is not decided whether it is encrypted; another one cannot be sent.
#[test]
fn a_question_that_grows_is_put_again_before_it_is_answered() {
    let config = Config { is_terminal: true, offers_to_hold: true, ..keyed(1) };
    let mut world = world_of([config]);
    let caller = Caller::new(&mut world, SCRIPT_IP, CLAIM);
    types(&mut world, &["1", SCRIPT, "one", "1", "10.0.0.2:8080", "two"]);
    assert_eq!(asked(&world), [1]);
    world.run_for(HELD_QUESTION_GRACE);
    world.reset_end(caller.end);
    world.run_for(MS);
    assert_eq!(asked(&world), [1, 2]);
    types(&mut world, &["y"]);
    assert_eq!(held(&world), [], "it was meant for the question before");
    world.run_for(HELD_QUESTION_GRACE);
    types(&mut world, &["y"]);
    let kept: Vec<&str> = world.node(0).held().texts().map(|held| &*held.text).collect();
    assert_eq!(kept, ["two", "one"]);
}

/// How many texts each question was about.
fn asked(world: &World) -> Vec<usize> {
    let texts = |notice: &Notice| match notice {
        Notice::Prompt(Prompt::Held(question)) => Some(question.texts),
        _ => None,
    };
    world.hosts[0].notices.iter().filter_map(texts).collect()
}
