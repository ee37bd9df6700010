//! An adapter that panics while it starts a call.

use deskplane_providers::fake::{Behaviour, Operation};
use tonic::Code;

use super::{Desk, TO, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_panicked_is_looked_up_and_never_dialled_again() {
    let desk = Desk::with(1).await;
    let (anna, vendor) = (desk.anna(), &desk.vendors[0]);
    // The vendor dials, and the adapter panics over the answer.
    vendor.set(Operation::StartCall, Behaviour::Panic);
    let asked = request(TO);
    let refused = anna.refused("StartCall", asked.clone()).await;
    assert_eq!(refused, (Code::Internal, "INTERNAL".to_owned()));
    let call = anna.ok("StartCall", asked.clone()).await["call"].clone();
    desk.until(&call, "CALL_STATE_DIALING").await;
    assert_eq!(anna.ok("StartCall", asked).await["call"]["name"], call["name"]);
    assert_eq!(vendor.dialled(TO), 1, "a repetition dials nothing");
}
