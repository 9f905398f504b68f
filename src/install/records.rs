//! Makes the files that record which packages are installed.

use allegro_composer::Unfamiliar;
use allegro_composer::dialect::Dialect;
use allegro_composer::installed::Vendor;
use allegro_composer::package::Package;

use super::decide::dev_names;
use super::dumping::{paths_of, real};
use super::local_repository::LocalRepository;
use super::project::Project;

/// Returns the texts of `installed.json` and `installed.php`.
pub fn texts(
    project: &Project,
    repository: &LocalRepository<'_>,
    is_dev: bool,
    dialect: Dialect,
) -> Result<(String, String), Unfamiliar> {
    let vendor_real = real(&project.settings.vendor_dir);
    let vendor_real = vendor_real.to_string_lossy().into_owned();
    let packages: Vec<&Package> = repository.packages().collect();
    let paths = paths_of(&vendor_real, &packages);
    let members = repository.members(&paths);
    let directory = format!("{vendor_real}/composer");
    let names = dev_names(project);
    let vendor = Vendor {
        directory: &directory,
        members: &members,
        dev_names: &names,
        is_dev,
        dialect,
    };
    let root = project.directory.to_string_lossy();
    Ok((
        vendor.installed_json(project.installed_text.as_deref())?,
        vendor.installed_php(&project.root, &root)?,
    ))
}
