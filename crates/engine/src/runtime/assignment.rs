//! Which provider runs which node, as ONNX Runtime itself records it.
//!
//! Its profiler would tell the same of a run, but writes files, which an engine may not.

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char},
    ptr, slice,
};

use ort::{AsPointer as _, session::Session, sys};

use crate::placement::{Placed, Placement};

/// What the graph's nodes were given to when the session was made. Fusions that follow merge nodes
/// of one provider, and move none to another.
pub fn read(session: &Session) -> ort::Result<Placement> {
    let api = ort::api();
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    let subgraphs = list(|out, count| {
        let session = session.inner();
        #[expect(unsafe_code, reason = "`ort` has no call for this yet")]
        // SAFETY: the session lives, and `out` and `count` are places to write to.
        unsafe {
            (api.Session_GetEpGraphAssignmentInfo)(session.ptr(), out, count)
        }
    })?;
    for subgraph in subgraphs {
        let provider = text(|out| {
            #[expect(unsafe_code, reason = "`ort` has no call for this yet")]
            // SAFETY: the session, which still lives, owns its subgraphs.
            unsafe {
                (api.EpAssignedSubgraph_GetEpName)(subgraph, out)
            }
        })?;
        let nodes = list(|out, count| {
            #[expect(unsafe_code, reason = "`ort` has no call for this yet")]
            // SAFETY: as above.
            unsafe {
                (api.EpAssignedSubgraph_GetNodes)(subgraph, out, count)
            }
        })?;
        for node in nodes {
            let operator = text(|out| {
                #[expect(unsafe_code, reason = "`ort` has no call for this yet")]
                // SAFETY: and the subgraphs own their nodes.
                unsafe {
                    (api.EpAssignedNode_GetOperatorType)(node, out)
                }
            })?;
            let count = counts.entry((provider.clone(), operator)).or_default();
            *count = count.saturating_add(1);
        }
    }
    let placed = counts
        .into_iter()
        .map(|((provider, operator), nodes)| Placed {
            provider,
            operator,
            nodes,
        });
    Ok(Placement(placed.collect()))
}

/// A list that ONNX Runtime keeps and gives out by pointer and length.
fn list<T>(
    get: impl FnOnce(*mut *const *const T, *mut usize) -> sys::OrtStatusPtr,
) -> ort::Result<Vec<*const T>> {
    let (mut first, mut count) = (ptr::null(), 0);
    check(get(&raw mut first, &raw mut count))?;
    if first.is_null() || count == 0 {
        return Ok(Vec::new());
    }
    #[expect(unsafe_code, reason = "the list is only known by pointer and length")]
    // SAFETY: after success `first` points to `count` pointers, which live as long as the session.
    let items = unsafe { slice::from_raw_parts(first, count) };
    Ok(items
        .iter()
        .copied()
        .filter(|item| !item.is_null())
        .collect())
}

fn text(get: impl FnOnce(*mut *const c_char) -> sys::OrtStatusPtr) -> ort::Result<String> {
    let mut text = ptr::null();
    check(get(&raw mut text))?;
    if text.is_null() {
        return Ok(String::new());
    }
    #[expect(unsafe_code, reason = "the text is only known by its start")]
    // SAFETY: after success `text` is a string that ends with zero and lives as long as the session.
    let text = unsafe { CStr::from_ptr(text) };
    Ok(text.to_string_lossy().into_owned())
}

fn check(status: sys::OrtStatusPtr) -> ort::Result<()> {
    #[expect(unsafe_code, reason = "a status is freed by whoever reads it")]
    // SAFETY: the status has just been returned by ONNX Runtime, and is looked at only here.
    unsafe {
        ort::Error::result_from_status(status)
    }
}
