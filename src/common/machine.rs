//! The one shape of everything that decides: [`Machine`], and [`drive`], the loop that runs one.
//!
//! Facts and commands flow in with the time at which they happened; effects flow out. A machine has no socket,
//! no clock and no task, so the same code runs in tests in virtual time and in the daemon on tokio.
#![allow(clippy::disallowed_methods, reason = "the one place that reads the clock, for `drive` and for every driver")]

use std::time::Instant;

use tokio::sync::mpsc;

/// A decision maker without I/O.
///
/// Contract: one `handle` or `wake`, then `poll` until `None`, then wait for `deadline`.
pub trait Machine {
    /// What happens to it.
    type Input;
    /// What it wants done.
    type Output;
    /// Takes one input that happened at `now`.
    fn handle(&mut self, now: Instant, input: Self::Input);
    /// A deadline has passed.
    fn wake(&mut self, now: Instant);
    /// The next thing to do, if any.
    fn poll(&mut self) -> Option<Self::Output>;
    /// When [`Machine::wake`] is wanted next.
    fn deadline(&self) -> Option<Instant>;
}

/// The time, as every driver reads it. It is tokio's: a test that stops the clock stops it for all of them (DESIGN §15).
#[must_use]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Whether [`drive`] goes on after an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriveFlow {
    /// Wait for the next input.
    Continue,
    /// The machine has finished; return.
    Stop,
}

/// Whoever has a machine and performs its outputs.
pub trait MachineOwner {
    /// The machine.
    type Machine: Machine;
    /// It, to be given inputs and polled.
    fn machine(&mut self) -> &mut Self::Machine;
    /// Does one output. It may wait for queue space of a layer below, or for what that layer answers at once; slow acts are spawned and
    /// come back as inputs. A result that is known at once may be handled by the machine right here: its outputs queue behind those
    /// that are left.
    fn perform(&mut self, output: <Self::Machine as Machine>::Output) -> impl Future<Output = DriveFlow> + Send;
}

/// Where the inputs of a machine come from: one inbox, or several queues that one task reads.
pub trait InputSource<Input> {
    /// The next input; `None`: none comes any more. Dropped before it is ready, it has taken nothing.
    fn next(&mut self) -> impl Future<Output = Option<Input>> + Send;
}

impl<Input: Send> InputSource<Input> for mpsc::Receiver<Input> {
    async fn next(&mut self) -> Option<Input> {
        self.recv().await
    }
}

/// Waits for a deadline, for drivers that select on more than one inbox; for ever where there is none.
pub async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Runs a machine until its inputs end or its owner returns [`DriveFlow::Stop`].
pub async fn drive<O: MachineOwner>(owner: &mut O, inputs: &mut impl InputSource<<O::Machine as Machine>::Input>) {
    loop {
        while let Some(output) = owner.machine().poll() {
            if owner.perform(output).await == DriveFlow::Stop {
                return;
            }
        }
        let input = match owner.machine().deadline() {
            Some(at) => tokio::select! {
                biased;
                input = inputs.next() => Some(input),
                () = tokio::time::sleep_until(at.into()) => None,
            },
            None => Some(inputs.next().await),
        };
        let now = now();
        match input {
            Some(Some(input)) => owner.machine().handle(now, input),
            Some(None) => return,
            None => owner.machine().wake(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Puts each input out, a second later.
    #[derive(Default)]
    struct Echo {
        waiting: Option<(Instant, u8)>,
        out: Option<u8>,
    }

    impl Machine for Echo {
        type Input = u8;
        type Output = u8;

        fn handle(&mut self, now: Instant, input: u8) {
            self.waiting = Some((now + Duration::from_secs(1), input));
        }

        fn wake(&mut self, now: Instant) {
            if let Some((_, input)) = self.waiting.take_if(|(at, _)| *at <= now) {
                self.out = Some(input);
            }
        }

        fn poll(&mut self) -> Option<u8> {
            self.out.take()
        }

        fn deadline(&self) -> Option<Instant> {
            self.waiting.map(|(at, _)| at)
        }
    }

    #[derive(Default)]
    struct Collector {
        echo: Echo,
        outputs: Vec<u8>,
    }

    impl MachineOwner for Collector {
        type Machine = Echo;

        fn machine(&mut self) -> &mut Echo {
            &mut self.echo
        }

        async fn perform(&mut self, output: u8) -> DriveFlow {
            self.outputs.push(output);
            DriveFlow::Stop
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_is_woken_at_its_deadline_and_stopped_by_its_owner() {
        let (sender, mut inbox) = mpsc::channel(1);
        sender.send(7).await.unwrap();
        let mut owner = Collector::default();
        let began = tokio::time::Instant::now();
        drive(&mut owner, &mut inbox).await;
        assert_eq!(owner.outputs, [7]);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_ends_with_its_inbox() {
        let (sender, mut inbox) = mpsc::channel(1);
        drop(sender);
        let mut owner = Collector::default();
        drive(&mut owner, &mut inbox).await;
        assert!(owner.outputs.is_empty());
    }
}
