//! The actions of a run, drawn before the run starts. Each has its own seed for its decisions, which it
//! makes among what exists when its turn comes. So any part of a list is a valid run.

/// The kind of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Send,
    SendBatch,
    Receive,
    ReceiveTogether,
    ReceiveAgain,
    /// Far more messages than a page.
    Crowd,
    ReceiveMany,
    /// A message group of which a client holds many messages, beside other groups.
    Noise,
    /// The limit of messages in flight.
    FillUp,
    /// Long polls, with other actions meanwhile.
    Wait,
    Delete,
    DeleteBatch,
    ChangeVisibility,
    CountAll,
    Pass,
    SetAttributes,
    /// A change of the delay while messages are delayed.
    ChangeDelay,
    Purge,
    DeleteQueue,
    CreateQueue,
    StartMove,
    CancelMove,
    Publish,
    PublishBatch,
    Subscribe,
    SubscribeOutside,
    /// An endpoint starts to fail, to reject, or to accept.
    ChangeEndpoint,
    Unsubscribe,
    ChangeSubscription,
    SetTopicAttributes,
    SetArchive,
    Replay,
    /// A replay of more than a page.
    ReplayMany,
    /// Days pass.
    AgeArchive,
    RecreateTopic,
    Mistake,
    Restart,
}

/// The relative frequency of each kind.
const WEIGHTS: [(Kind, u32); 37] = [
    (Kind::Send, 150),
    (Kind::SendBatch, 60),
    (Kind::Receive, 210),
    (Kind::ReceiveTogether, 30),
    (Kind::ReceiveAgain, 40),
    (Kind::Crowd, 6),
    (Kind::ReceiveMany, 16),
    (Kind::Noise, 4),
    (Kind::FillUp, 6),
    (Kind::Wait, 24),
    (Kind::Delete, 100),
    (Kind::DeleteBatch, 30),
    (Kind::ChangeVisibility, 70),
    (Kind::CountAll, 20),
    (Kind::Pass, 120),
    (Kind::SetAttributes, 30),
    (Kind::ChangeDelay, 6),
    (Kind::Purge, 6),
    (Kind::DeleteQueue, 6),
    (Kind::CreateQueue, 20),
    (Kind::StartMove, 20),
    (Kind::CancelMove, 6),
    (Kind::Publish, 80),
    (Kind::PublishBatch, 20),
    (Kind::Subscribe, 30),
    (Kind::SubscribeOutside, 16),
    (Kind::ChangeEndpoint, 24),
    (Kind::Unsubscribe, 8),
    (Kind::ChangeSubscription, 16),
    (Kind::SetTopicAttributes, 8),
    (Kind::SetArchive, 6),
    (Kind::Replay, 14),
    (Kind::ReplayMany, 3),
    (Kind::AgeArchive, 3),
    (Kind::RecreateTopic, 2),
    (Kind::Mistake, 50),
    (Kind::Restart, 8),
];

#[derive(Debug, Clone, Copy)]
pub struct Action {
    pub kind: Kind,
    /// The seed of its decisions.
    pub seed: u64,
    /// Unique number, for the names of created things.
    pub number: u64,
    /// Whether its response gets lost, so that the client retries.
    pub answer_is_lost: bool,
    /// The number of commits after which the process ends.
    pub ends_after: Option<i64>,
}

/// Returns the actions of a run.
pub fn draw(seed: u64, steps: u64) -> Vec<Action> {
    let mut random = fastrand::Rng::with_seed(seed);
    let total = WEIGHTS.iter().map(|(_, weight)| weight).sum::<u32>();
    let kind = |mut at: u32| {
        let found = WEIGHTS.iter().find(|(_, weight)| {
            let is_here = at < *weight;
            at = at.saturating_sub(*weight);
            is_here
        });
        found.expect("a weight").0
    };
    let action = |number| Action {
        kind: kind(random.u32(..total)),
        seed: random.u64(..),
        number,
        answer_is_lost: random.u32(..100) < 7,
        ends_after: (random.u32(..100) < 3).then(|| random.i64(0..4)),
    };
    (0..steps).map(action).collect()
}
