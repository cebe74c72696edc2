//! What a model can be called, and which package belongs to it.

use std::sync::Arc;

use assay_client::protocol::Digest;
use assay_package::{Kind, Package};
use thiserror::Error;

use super::{
    Api,
    failure::{Failure, Why},
};
use crate::upstream::Listed;

/// The packages that a gateway knows.
#[derive(Debug, Default)]
pub struct Packages(Vec<Arc<Package>>);

/// Why packages cannot be served together.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PackagesError {
    #[error("two packages are called {0:?}; give one another NAME in its Modelfile")]
    SameName(String),
}

impl Packages {
    /// Puts packages together.
    ///
    /// # Errors
    /// When two have one name.
    pub fn new(packages: impl IntoIterator<Item = Package>) -> Result<Self, PackagesError> {
        let mut taken: Vec<Arc<Package>> = Vec::new();
        for package in packages {
            if taken.iter().any(|other| other.name == package.name) {
                return Err(PackagesError::SameName(package.name));
            }
            taken.push(Arc::new(package));
        }
        taken.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self(taken))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Package>> {
        self.0.iter()
    }
}

/// A model that is offered now.
#[derive(Clone, Debug)]
pub struct Offered {
    pub listed: Listed,
    /// What turns text into its tokens, if it is here.
    pub package: Option<Arc<Package>>,
}

impl Offered {
    /// What it is called here: its package's name, or the provider's.
    pub fn name(&self) -> &str {
        let package = self.package.as_ref();
        package.map_or(self.listed.model.name.as_str(), |package| &package.name)
    }

    pub const fn digest(&self) -> Digest {
        self.listed.model.digest
    }

    /// Its package.
    pub fn package(&self) -> Result<&Arc<Package>, Failure> {
        self.package.as_ref().ok_or_else(|| {
            Failure::invalid(format!(
                "the model {:?} takes tensors: no package with its tokenizer is loaded; start the gateway with \
                 --package, or use /v2/models/{0}/infer",
                self.listed.model.name
            ))
        })
    }

    /// Whether texts can be asked of it, and which kind of answer there is.
    pub fn kind(&self) -> Kind {
        let Some(package) = &self.package else {
            return Kind::Tensors;
        };
        match package.kind {
            Kind::Decoder if !self.listed.model.generates => Kind::Tensors,
            kind @ (Kind::Decoder | Kind::Embedding | Kind::Tensors) => kind,
        }
    }
}

impl Api {
    /// Everything that can be asked for, each package once and then what has none.
    pub async fn offered(&self) -> Result<Vec<Offered>, Failure> {
        let listed = self.upstream.models().await?;
        let mut offered = Vec::new();
        for package in self.packages.iter() {
            let found = listed
                .iter()
                .find(|one| one.model.digest == package.model.digest);
            offered.extend(found.map(|listed| Offered {
                listed: listed.clone(),
                package: Some(package.clone()),
            }));
        }
        for listed in listed {
            let known = |one: &Arc<Package>| one.model.digest == listed.model.digest;
            if !self.packages.iter().any(known) {
                offered.push(Offered {
                    listed,
                    package: None,
                });
            }
        }
        Ok(offered)
    }

    /// The model of a name: a package's, a provider's, or the hex of the package's or the model's digest. A package's
    /// name goes first, because providers call their models what they like.
    pub async fn model(&self, name: &str) -> Result<Offered, Failure> {
        let offered = self.offered().await?;
        let package = self.packages.iter().any(|package| package.name == name);
        let found = find(&offered, name)?;
        // Nor does anybody else's model take its place while nobody offers the package's.
        if let Some(found) = found.filter(|found| found.package.is_some() || !package) {
            return Ok(found.clone());
        }
        self.upstream.look_again();
        let text = if package {
            format!("nobody offers the model of the package {name:?} at present")
        } else {
            format!(
                "there is no model {name:?}: no package here is called so, and no provider offers it"
            )
        };
        Err(Failure::new(Why::ModelUnknown, text).about("model"))
    }
}

fn find<'a>(offered: &'a [Offered], name: &str) -> Result<Option<&'a Offered>, Failure> {
    let named = |one: &&Offered| {
        one.package
            .as_ref()
            .is_some_and(|package| package.name == name)
    };
    if let Some(found) = offered.iter().find(named) {
        return Ok(Some(found));
    }
    if let Some(digest) = digest(name) {
        let packed = |one: &&Offered| one.package.as_ref().is_some_and(|one| one.digest == digest);
        let plain = |one: &&Offered| one.digest() == digest;
        let found = offered.iter().find(packed);
        return Ok(found.or_else(|| offered.iter().find(plain)));
    }
    let mut called = offered.iter().filter(|one| one.listed.model.name == name);
    let first = called.next();
    let same = |one: &Offered| first.is_some_and(|first| first.digest() == one.digest());
    if called.all(same) {
        return Ok(first);
    }
    Err(Failure::invalid(format!(
        "providers offer several models called {name:?}; ask by digest, which GET /v1/models shows"
    ))
    .about("model"))
}

fn digest(text: &str) -> Option<Digest> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(Digest(bytes))
}
