//! Where an installation keeps its things, and how its application is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use proviso_app::App;
use proviso_app::keys::MasterKey;
use proviso_app::ports::{SystemClock, SystemEntropy};
use proviso_app::settings::Settings;
use proviso_store::{OpenOptions, Store};

use crate::cli;
use crate::config::{Config, KeyProvider};
use crate::demo;
use crate::key_fetch::HttpKeyFetch;
use crate::single_instance::FolderLock;

/// The database file in a data folder.
pub const DATABASE_FILE: &str = "proviso.db";
/// The master key file in a data folder, unless the configuration says otherwise.
pub const MASTER_KEY_FILE: &str = "master.key";

/// One installation on disk.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Database, log, keys.
    pub data_dir: PathBuf,
    /// The file of the master key.
    pub master_key_file: PathBuf,
    /// What use cases need.
    pub settings: Settings,
    /// The configuration, unless this is a demo world.
    pub config: Option<Config>,
}

impl Installation {
    /// The installation that a command line names.
    ///
    /// # Errors
    /// When the configuration is refused, or the folder is not a demo world.
    pub fn named_by(arguments: &cli::Installation) -> anyhow::Result<Self> {
        match (&arguments.config, &arguments.data) {
            (Some(file), _) => Self::configured(file),
            (None, Some(folder)) => {
                demo::require_world(folder)?;
                Ok(Self::demo(folder, "http://127.0.0.1:8080"))
            }
            (None, None) => anyhow::bail!("name an installation with `--config` or `--data`"),
        }
    }

    /// The installation of a configuration file.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn configured(file: &Path) -> anyhow::Result<Self> {
        let config = Config::load(file)
            .with_context(|| format!("the configuration `{}` is refused", file.display()))?;
        let KeyProvider::File(master_key_file) = config.keys.clone();
        Ok(Self {
            data_dir: config.data_dir.clone(),
            master_key_file,
            settings: config.settings.clone(),
            config: Some(config),
        })
    }

    /// The demo world in a folder, as reached under an origin.
    pub fn demo(folder: &Path, origin: &str) -> Self {
        Self {
            data_dir: folder.to_owned(),
            master_key_file: folder.join(MASTER_KEY_FILE),
            settings: Settings::demo(origin),
            config: None,
        }
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.data_dir.join(DATABASE_FILE)
    }

    /// Takes the folder for this process, making it if need be.
    ///
    /// # Errors
    /// When it cannot be made or another process has it.
    pub fn lock(&self) -> anyhow::Result<FolderLock> {
        make_private(&self.data_dir)?;
        FolderLock::take(&self.data_dir)
    }

    /// Opens store, keys and live state. The caller holds the lock.
    ///
    /// # Errors
    /// When any of it fails; nothing may be served then.
    pub async fn open(&self, _lock: &FolderLock) -> anyhow::Result<Arc<App>> {
        let entropy = SystemEntropy::default();
        let database = self.database();
        let master = if database.exists() {
            // A database without its master key must not get a new one: that would hide the loss.
            MasterKey::load(&self.master_key_file)?
        } else {
            MasterKey::load_or_create(&self.master_key_file, &entropy)?
        };
        let options = OpenOptions::new(self.settings.tenant.clone());
        let store = Store::open_sqlite(&database, options)
            .with_context(|| format!("cannot open `{}`", database.display()))?;
        let app = App::open(
            store,
            master,
            Arc::new(SystemClock),
            Arc::new(entropy),
            self.settings.clone(),
        )
        .await?;
        app.install_key_fetch(Arc::new(HttpKeyFetch::new(&self.settings.public_url)?));
        Ok(app)
    }
}

/// Makes a folder that only its owner may enter.
fn make_private(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))
}
