//! Whatever servers answer, and whenever: nothing overflows, nobody is lost, and the lane opens again.

use proptest::prelude::*;

use super::*;
use crate::gate::{
    answer::Answer,
    handle::Settings,
    state::{State, Ticket},
};

#[derive(Clone, Debug)]
enum Event {
    Later(Duration),
    Enter { queued: bool },
    Answer { which: usize, status: u16, fields: HeaderMap },
    Lost(usize),
    Unsent(usize),
    Queue,
    Leave,
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![Just("0".into()), "[0-9]{1,2}", "[0-9]{3,5}", Just("1700000000".into()), Just(u64::MAX.to_string())]
}

fn fields() -> impl Strategy<Value = HeaderMap> {
    let limit = ("[ab]", number(), number(), number(), number())
        .prop_map(|(name, r, t, q, w)| rate_limit(&format!("{name};r={r};t={t};q={q};w={w}")));
    let older = (number(), number(), number()).prop_map(|(limit, left, reset)| {
        headers([("x-ratelimit-limit", &*limit), ("x-ratelimit-remaining", &*left), ("x-ratelimit-reset", &*reset)])
    });
    let asked = proptest::option::of(number().prop_map(|wait| headers([("retry-after", &*wait)])));
    (prop_oneof![Just(HeaderMap::new()), limit, older], asked).prop_map(|(mut fields, asked)| {
        fields.extend(asked.into_iter().flatten());
        fields
    })
}

fn event() -> impl Strategy<Value = Event> {
    let later = prop_oneof![0..2_000_u64, 0..100_000_000_u64, Just(4_000_000_000_000_u64)];
    let statuses = prop_oneof![Just(200_u16), Just(429), Just(503), Just(403)];
    prop_oneof![
        2 => later.prop_map(|time| Event::Later(millis(time))),
        4 => any::<bool>().prop_map(|queued| Event::Enter { queued }),
        4 => (any::<usize>(), statuses, fields()).prop_map(|(which, status, fields)| Event::Answer { which, status, fields }),
        1 => any::<usize>().prop_map(Event::Lost),
        1 => any::<usize>().prop_map(Event::Unsent),
        1 => Just(Event::Queue),
        1 => Just(Event::Leave),
    ]
}

proptest! {
    #[test]
    fn rl_12_no_answers_stop_a_lane_for_good(
        events in proptest::collection::vec(event(), 1..80),
        pacing in any::<bool>(),
        longest_wait in prop_oneof![Just(0), 0..100_000_u64, Just(u64::MAX)],
        jitter in 0.0..1.0,
    ) {
        let longest_wait = millis(longest_wait).min(crate::clock::FAR);
        let settings = Settings { longest_wait, queue: 9, pacing, forbidden_when_spent: true };
        let start = std::time::Instant::now();
        let wall = |now: std::time::Instant| std::time::SystemTime::UNIX_EPOCH + secs(1_700_000_000) + (now - start);
        let (mut now, mut state, mut under_way, mut waiting) = (start, State::new(start), Vec::<Ticket>::new(), 0);
        for event in events {
            let mut take = |which: usize| {
                let which = which.checked_rem(under_way.len())?;
                Some(under_way.swap_remove(which))
            };
            match event {
                Event::Later(time) => now += time,
                Event::Enter { queued } => match state.admit(now, queued) {
                    Ok(admitted) => under_way.push(admitted.ticket),
                    Err(until) => prop_assert!(until <= now + secs(10 * 366 * 86_400)),
                },
                Event::Answer { which, status, fields } => if let Some(ticket) = take(which) {
                    let status = StatusCode::from_u16(status).unwrap();
                    let answer = Answer::read(&settings, status, &fields, || wall(now));
                    state.answered(now, ticket, &answer, jitter, pacing.then_some(longest_wait));
                },
                Event::Lost(which) => take(which).into_iter().for_each(|ticket| state.lost(ticket)),
                Event::Unsent(which) => take(which).into_iter().for_each(|ticket| state.unsent(ticket)),
                Event::Queue => (state.queue(now), waiting += 1).1,
                Event::Leave => (state.leave(), waiting = (waiting - 1).max(0)).1,
            }
            state.foresee(now);
            state.overtake(now).into_iter().for_each(|admitted| under_way.push(admitted.ticket));
        }
        prop_assert_eq!(state.has_queue(), waiting > 0);
        under_way.into_iter().for_each(|ticket| state.unsent(ticket));
        // A day, and then at the pace that it goes at: within the longest wait, or half a minute.
        now += secs(86_400 + 2);
        for _ in 0..3 {
            if let Err(until) = state.admit(now, true) {
                let wait = until - now;
                prop_assert!(wait <= longest_wait.max(secs(30)), "{:?}: {:?}", wait, state);
                now = until;
                let admitted = state.admit(now, true);
                prop_assert!(admitted.is_ok(), "{:?}", state);
                state.unsent(admitted.unwrap().ticket);
            }
        }
    }
}
