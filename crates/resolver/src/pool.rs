//! The candidate packages with their numbers and names: Composer's `Pool`.

use std::rc::Rc;

use super::package::{Package, PackageId, Packages};
use allegro_base::tables::HashMap;
use allegro_semver::constraint::{ConstraintId, NameId, Terms};

/// The number of a package in a pool, counted from 1 (`BasePackage::$id` in Composer).
pub(super) type Number = u32;

/// Packages with numbers (`Pool`, Composer 2.5.5). Among otherwise equal packages, the number
/// decides.
pub(super) struct Pool<'a> {
    pub packages: &'a Packages,
    pub terms: &'a Terms,
    list: Vec<PackageId>,
    by_name: HashMap<NameId, Vec<Number>>,
    /// The number of each package by id; 0 for packages outside the pool.
    numbers: Vec<Number>,
    providers: HashMap<(NameId, ConstraintId), Rc<[Number]>>,
}

impl<'a> Pool<'a> {
    /// Numbers the packages of a list in its order.
    pub fn new(packages: &'a Packages, terms: &'a Terms, list: Vec<PackageId>) -> Self {
        let mut by_name: HashMap<NameId, Vec<Number>> = HashMap::default();
        let mut numbers = vec![0; packages.len()];
        for (number, id) in (1..).zip(&list) {
            numbers[id.0 as usize] = number;
            for name in packages[*id].names(true) {
                by_name.entry(name).or_default().push(number);
            }
        }
        Self {
            packages,
            terms,
            list,
            by_name,
            numbers,
            providers: HashMap::default(),
        }
    }

    pub fn numbers(&self) -> impl Iterator<Item = Number> + use<> {
        1..=Number::try_from(self.list.len()).expect("fewer than 2^32 packages")
    }

    /// Returns the number of packages.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn id(&self, number: Number) -> PackageId {
        self.list[number as usize - 1]
    }

    pub fn package(&self, number: Number) -> &'a Package {
        &self.packages[self.id(number)]
    }

    /// Returns the number of a package; `None` if the pool doesn't have the package.
    pub fn number_of(&self, id: PackageId) -> Option<Number> {
        let number = self.numbers.get(id.0 as usize).copied();
        number.filter(|number| *number != 0)
    }

    /// Returns the packages that meet a requirement, ordered by number (`Pool::whatProvides`,
    /// Composer 2.5.5).
    pub fn what_provides(&mut self, name: NameId, constraint: ConstraintId) -> Rc<[Number]> {
        if let Some(known) = self.providers.get(&(name, constraint)) {
            return Rc::clone(known);
        }
        let candidates = self.by_name.get(&name).map_or(&[][..], Vec::as_slice);
        let matching = candidates
            .iter()
            .copied()
            .filter(|number| self.offers(*number, name, constraint));
        let found: Rc<[Number]> = matching.collect();
        self.providers.insert((name, constraint), Rc::clone(&found));
        found
    }

    /// Returns whether a package meets a requirement (`Pool::match`, Composer 2.5.5).
    pub fn offers(&self, number: Number, name: NameId, constraint: ConstraintId) -> bool {
        let package = self.package(number);
        if package.name == name {
            return self.terms.fits(constraint, package.version);
        }
        package
            .links
            .provides
            .iter()
            .chain(&package.links.replaces)
            .any(|link| link.target == name && self.terms.matches(constraint, link.constraint))
    }
}
