//! Receipts: which message each is for, and how long it is awaited.

use super::*;

/// Receipts find their message by hexadecimal and decimal names and before the answer.
#[test]
fn receipts_find_their_message_by_hexadecimal_and_decimal_names() {
    for (name, receipt) in [("1F", "31"), ("31", "1f"), ("00031", "31"), ("0000001F", "0000000031"), ("abc-1", "ABC-1")] {
        for early in [false, true] {
            let mut world = World::new(OnUnknown::Resend, true);
            world.sends(number(1), "one");
            world.settle();
            let receipt = OutboxInput::Receipt { name: receipt.to_owned(), outcome: DeliveryOutcome::Delivered };
            if early {
                world.input(receipt.clone());
            }
            world.answers(|_| SubmitOutcome::Accepted { name: Some(name.to_owned()) });
            if !early {
                world.settle();
                world.input(receipt);
            }
            world.settle();
            assert_eq!((world.outbox.counts().delivered, world.disk.len()), (1, 0), "{name} early: {early}");
        }
    }
}

/// Receipts are tracked to their end over a restart and no longer.
#[test]
fn receipts_are_tracked_to_their_end_over_a_restart() {
    let mut world = World::new(OnUnknown::Resend, true);
    for (to, outcome) in [(1, Some(DeliveryOutcome::Delivered)), (2, Some(DeliveryOutcome::Failed)), (3, None)] {
        world.sends(number(to), "text");
        world.settle();
        let name = format!("n{}", world.out[0].id);
        world.accepts();
        world.settle();
        world.input(OutboxInput::Receipt { name: name.clone(), outcome: DeliveryOutcome::OnItsWay });
        world.crashes();
        if let Some(outcome) = outcome {
            world.input(OutboxInput::Receipt { name, outcome });
        }
        world.settle();
    }
    assert_eq!(world.disk.len(), 1);
    world.after(3 * 24 * 3600);
    assert!(world.disk.is_empty() && world.outbox.counts().unconfirmed == 1);
    assert_eq!(world.submitted.len(), 3);
}
