//! What waits for one page: the newest state, who speaks, and messages in their order.
//!
//! A state replaces the one before it, so that no number of changes fills anything; of messages the oldest gives way. What others do can
//! therefore never end a page's connection: only its own socket does that, by not taking what is sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::messages::ToPage;
use super::roster::RosterView;
use crate::common::ids::ParticipantId;

/// Messages that may wait for a page; one more, and the oldest is forgotten. Lines of the chat are also to be read by the API.
const MESSAGES: usize = 256;

#[derive(Default)]
struct Waiting {
    view: Option<RosterView>,
    speaking: Option<Arc<[ParticipantId]>>,
    messages: VecDeque<ToPage>,
    /// The meeting has nothing more to say.
    over: bool,
    /// The page is gone.
    gone: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.waiting();
        if !waiting.gone {
            change(&mut waiting);
        }
        drop(waiting);
        self.wake.notify_one();
    }
}

/// The meeting's end. Dropped, the page is given what waits for it, and then told that this was all.
pub struct PageFeed(Arc<Shared>);

/// The page's end. Dropped, nothing waits for it any more.
pub struct PageFeedReader(Arc<Shared>);

/// What a page is told next.
#[derive(Debug, PartialEq, Eq)]
pub enum PageUpdate {
    /// How the meeting is, as the page may see it.
    View(RosterView),
    /// A message.
    Message(ToPage),
}

/// Both ends.
#[must_use]
pub fn feed() -> (PageFeed, PageFeedReader) {
    let shared = Arc::<Shared>::default();
    (PageFeed(Arc::clone(&shared)), PageFeedReader(shared))
}

impl PageFeed {
    /// How the meeting is now, for the page's eyes.
    pub fn show(&self, view: RosterView) {
        self.0.change(|waiting| waiting.view = Some(view));
    }

    /// Who speaks now, loudest first.
    pub fn speaking(&self, who: Arc<[ParticipantId]>) {
        self.0.change(|waiting| waiting.speaking = Some(who));
    }

    /// One message more.
    pub fn say(&self, message: ToPage) {
        self.0.change(|waiting| {
            if waiting.messages.len() >= MESSAGES {
                waiting.messages.pop_front();
            }
            waiting.messages.push_back(message);
        });
    }

    /// The page has gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.waiting().gone
    }
}

impl Drop for PageFeed {
    fn drop(&mut self) {
        self.0.change(|waiting| waiting.over = true);
    }
}

impl std::fmt::Debug for PageFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Feed")
    }
}

impl PageFeedReader {
    /// What comes next; `None` once the meeting has nothing more to say.
    pub async fn next(&mut self) -> Option<PageUpdate> {
        loop {
            // Taken before the look, so that what comes between look and wait is not slept through.
            let woken = self.0.wake.notified();
            {
                let mut waiting = self.0.waiting();
                // Messages first: a line of the chat is older than the state that follows it.
                if let Some(message) = waiting.messages.pop_front() {
                    return Some(PageUpdate::Message(message));
                }
                if let Some(view) = waiting.view.take() {
                    return Some(PageUpdate::View(view));
                }
                if let Some(who) = waiting.speaking.take() {
                    return Some(PageUpdate::Message(ToPage::Speaking { ids: who.iter().map(ToString::to_string).collect() }));
                }
                if waiting.over {
                    return None;
                }
            }
            woken.await;
        }
    }

    /// A message that waits, without waiting for one: at a stop the last of them is still said.
    pub fn waiting_message(&mut self) -> Option<ToPage> {
        self.0.waiting().messages.pop_front()
    }
}

impl Drop for PageFeedReader {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        *waiting = Waiting { gone: true, ..Waiting::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: u64) -> ToPage {
        ToPage::ChatTexted { id, texted: crate::meeting::messages::Texted::default() }
    }

    /// States replace each other and of too many messages the oldest gives way.
    #[tokio::test]
    async fn m14_states_replace_each_other_and_of_too_many_messages() {
        let (feed, mut reader) = feed();
        for number in 0..10_000 {
            feed.say(line(number));
            feed.show(RosterView::nobody(ParticipantId::from_number(number + 1)));
            feed.speaking([ParticipantId::from_number(number + 1)].into());
        }
        drop(feed);
        for number in 10_000 - 256..10_000 {
            assert_eq!(reader.next().await, Some(PageUpdate::Message(line(number))));
        }
        let newest = ParticipantId::from_number(10_000);
        assert_eq!(reader.next().await, Some(PageUpdate::View(RosterView::nobody(newest))));
        assert_eq!(reader.next().await, Some(PageUpdate::Message(ToPage::Speaking { ids: vec![newest.to_string()] })));
        assert_eq!(reader.next().await, None, "and that was all");
    }

    #[test]
    fn o4_what_was_said_before_a_stop_is_there_to_be_taken() {
        let (feed, mut reader) = feed();
        assert_eq!(reader.waiting_message(), None);
        feed.say(line(1));
        feed.say(ToPage::Ended { reason: "restarting" });
        drop(feed);
        assert_eq!(reader.waiting_message(), Some(line(1)));
        assert_eq!(reader.waiting_message(), Some(ToPage::Ended { reason: "restarting" }));
        assert_eq!(reader.waiting_message(), None);
    }

    #[tokio::test]
    async fn nothing_waits_for_a_page_that_is_gone() {
        let (feed, reader) = feed();
        assert!(!feed.is_closed());
        drop(reader);
        feed.say(line(1));
        assert!(feed.is_closed() && feed.0.waiting().messages.is_empty());
    }
}
