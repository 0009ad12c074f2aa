//! Interfaces that the embedder implements: arguments out and results back as JSON text.

use crate::arguments::{Meter, NoResources, Unread, read_arguments};
use crate::bridge::ffi::{Host, Pending};
use crate::ledger::Ledger;
use crate::results::{Handles, write_value};
use crate::shape::{Field, Signature};
use crate::state::State;
use cxx::{SharedPtr, UniquePtr};
use std::sync::Arc;
use tokio::sync::oneshot;
use wasmtime::component::{Linker, Val};
use wasmtime::error::Context as _;
use wasmtime::{Result, bail, format_err};

/// The longest arguments text that goes to an embedder's function.
const ARGUMENTS_LIMIT: usize = 16 << 20;

/// The way back from an embedder's function.
pub struct CapabilityReply(Option<oneshot::Sender<Result<String, String>>>);

impl CapabilityReply {
    /// Gives the result as JSON text; only the first answer counts.
    pub fn complete(&mut self, value: &str) {
        if let Some(sender) = self.0.take() {
            let _ = sender.send(Ok(value.to_owned()));
        }
    }

    /// Says why there is no result, which stops the guest.
    pub fn fail(&mut self, denied: bool, message: &str) {
        if let Some(sender) = self.0.take() {
            let prefix = if denied { "denied: " } else { "" };
            let _ = sender.send(Err(format!("{prefix}{message}")));
        }
    }
}

struct NoHandles;

impl Handles for NoHandles {
    fn give(&mut self, _: &Val) -> String {
        String::new()
    }
}

/// Lets programs import `functions` of `interface`.
pub fn add_to_linker(
    linker: &mut Linker<State>,
    interface: &str,
    functions: &[String],
) -> Result<()> {
    let mut instance = linker.instance(interface)?;
    for function in functions {
        let names: Arc<(String, String)> = Arc::new((interface.to_owned(), function.clone()));
        instance.func_new_async(function, move |store, ty, arguments, results| {
            let names = names.clone();
            Box::new(async move {
                let signature = Signature::new(&ty)?;
                let host = store.data().host.clone();
                let text = arguments_text(&signature, arguments)?;
                let answer = ask(&host, &names, &text).await?;
                match (&signature.result, results) {
                    (Some(_), [slot]) => {
                        *slot = read_result(signature, &answer, &store.data().ledger)?;
                    }
                    (None, []) => {}
                    _ => bail!("unexpected number of results"),
                }
                Ok(())
            })
        })?;
    }
    Ok(())
}

fn arguments_text(signature: &Signature, arguments: &[Val]) -> Result<String> {
    let mut text = String::from("{");
    for (index, (field, value)) in signature.parameters.iter().zip(arguments).enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(&*field.name)?);
        text.push(':');
        write_value(&field.shape, value, &mut NoHandles, ARGUMENTS_LIMIT, &mut text)
            .map_err(|error| format_err!("arguments for the host: {error:?}"))?;
    }
    text.push('}');
    Ok(text)
}

async fn ask(host: &SharedPtr<Host>, names: &(String, String), arguments: &str) -> Result<String> {
    let (sender, receiver) = oneshot::channel();
    let reply = Box::new(CapabilityReply(Some(sender)));
    // Held until the answer is there: dropping it tells the embedder that nobody waits any more.
    let pending: UniquePtr<Pending> = host.begin_capability(&names.0, &names.1, arguments, reply);
    let answer = receiver.await.context("the host function was abandoned")?;
    drop(pending);
    answer.map_err(|message| format_err!("{message}").context(format!("{}.{}", names.0, names.1)))
}

/// Checks an embedder's answer against the type, like anything that comes from outside.
fn read_result(signature: Signature, answer: &str, ledger: &Arc<Ledger>) -> Result<Val> {
    let Some(shape) = signature.result else { bail!("no result expected") };
    let field = [Field { name: "result".into(), shape }];
    let text = format!("{{\"result\":{answer}}}");
    let mut meter = Meter::new(ledger);
    let values =
        read_arguments(&field, &text, &mut NoResources, &mut meter).map_err(|why| match why {
            Unread::Wrong(message) => {
                format_err!("the host function gave a wrong result: {message}")
            }
            Unread::TooLarge(reached) => reached.into(),
        })?;
    values.into_iter().next().ok_or_else(|| format_err!("no result"))
}
