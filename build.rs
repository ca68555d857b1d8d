//! Makes what the server carries inside itself: the style sheet, the browser code, the static files.
//!
//! Does nothing for the browser (feature `ssr` off). Reads only `style/`, `public/` and `target/site/pkg`, where
//! `cargo xtask wasm` leaves the browser code and its compressed form. Without browser code the server builds all the
//! same, and its pages are complete without scripts.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=migrations");
    #[cfg(feature = "ssr")]
    server::write()?;
    Ok(())
}

#[cfg(feature = "ssr")]
mod server {
    use std::error::Error;
    use std::fmt::Write as _;
    use std::fs::{self, File};
    use std::hash::{DefaultHasher, Hasher};
    use std::path::{Path, PathBuf};
    use std::time::SystemTime;

    use lightningcss::bundler::{Bundler, FileProvider};
    use lightningcss::stylesheet::{MinifyOptions, ParserOptions, PrinterOptions};
    use lightningcss::targets::{Browsers, Targets};

    type Result<T> = std::result::Result<T, Box<dyn Error>>;

    const STYLE: &str = "style/main.css";
    const PUBLIC: &str = "public";
    const PKG: &str = "target/site/pkg";
    /// The name that `cargo xtask wasm` gives the browser code.
    const PKG_NAME: &str = "wanryo";

    /// The oldest browsers that count: two years old, of late 2024. Syntax that is newer than they are is rewritten.
    const BROWSERS: Browsers = Browsers {
        android: Some(131 << 16),
        chrome: Some(131 << 16),
        edge: Some(131 << 16),
        firefox: Some(132 << 16),
        ie: None,
        ios_saf: Some(18 << 16),
        opera: None,
        safari: Some(18 << 16),
        samsung: Some(27 << 16),
    };

    /// A file that the server answers with. Its fields are those of `web::assets::Asset`.
    struct Asset {
        url_path: String,
        content_type: &'static str,
        /// Whether the name carries a hash of the content.
        immutable: bool,
        file: PathBuf,
        brotli: Option<PathBuf>,
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "cargo passes a build script its directories in the environment"
    )]
    pub(super) fn write() -> Result<()> {
        let out = PathBuf::from(std::env::var("OUT_DIR")?);
        let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
        create_and_watch(&root.join(PKG))?;
        // Watching a path that does not exist would mean running, and rebuilding the server, every time.
        for dir in [root.join("style"), root.join(PUBLIC)] {
            if dir.exists() {
                watch(&dir);
            }
        }

        fs::write(out.join("wanryo.css"), style_sheet(&root.join(STYLE))?)?;
        fs::write(out.join("assets.rs"), assets_rs(&root)?)?;
        Ok(())
    }

    fn watch(path: &Path) {
        println!("cargo::rerun-if-changed={}", path.display());
    }

    /// A directory made during this run is newer than this run, and cargo would run us once more. So it gets an old date.
    fn create_and_watch(dir: &Path) -> Result<()> {
        if !dir.exists() {
            fs::create_dir_all(dir)?;
            File::open(dir)?.set_modified(SystemTime::UNIX_EPOCH)?;
        }
        watch(dir);
        Ok(())
    }

    /// Follows the imports and minifies.
    fn style_sheet(path: &Path) -> Result<String> {
        if !path.exists() {
            println!(
                "cargo::warning={} is missing, pages go without style",
                path.display()
            );
            return Ok(String::new());
        }
        let targets = Targets::from(BROWSERS);
        let files = FileProvider::new();
        let mut bundler = Bundler::new(&files, None, ParserOptions::default());
        // The error borrows the sources, so only its text can leave.
        let mut sheet = bundler
            .bundle(path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        sheet.minify(MinifyOptions {
            targets,
            ..MinifyOptions::default()
        })?;
        let css = sheet.to_css(PrinterOptions {
            minify: true,
            targets,
            ..PrinterOptions::default()
        })?;
        Ok(css.code)
    }

    /// The table of assets, included by `src/web/assets.rs`.
    fn assets_rs(root: &Path) -> Result<String> {
        let mut assets = public_assets(&root.join(PUBLIC))?;
        let pkg_name = pkg_assets(&root.join(PKG), &mut assets)?;
        // Sorted, so that the server can search it and the same input makes the same program.
        assets.sort_by(|a, b| a.url_path.cmp(&b.url_path));

        let mut code = String::new();
        writeln!(
            code,
            "/// What `HydrationScripts` calls the output: None when the server was built without browser code.\n\
             pub(crate) const PKG_OUTPUT_NAME: Option<&str> = {pkg_name:?};\n\n\
             /// Every file that is served as it is, sorted by path.\n\
             pub(crate) static ASSETS: &[Asset] = &["
        )?;
        for asset in &assets {
            let brotli = match &asset.brotli {
                Some(path) => format!("Some(include_bytes!({path:?}))"),
                None => "None".to_owned(),
            };
            writeln!(
                code,
                "    Asset {{ path: {:?}, content_type: {:?}, immutable: {}, bytes: include_bytes!({:?}), brotli: {brotli} }},",
                asset.url_path, asset.content_type, asset.immutable, asset.file,
            )?;
        }
        code.push_str("];\n");
        Ok(code)
    }

    /// Everything below `public/`, under the same path. Small files all: none is compressed ahead.
    fn public_assets(public: &Path) -> Result<Vec<Asset>> {
        let mut assets = Vec::new();
        let mut dirs = Vec::new();
        if public.exists() {
            dirs.push(public.to_path_buf());
        }
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir)? {
                let file = entry?.path();
                if file.is_dir() {
                    dirs.push(file);
                    continue;
                }
                let path = file
                    .strip_prefix(public)?
                    .to_str()
                    .ok_or_else(|| format!("{}: the name is not UTF-8", file.display()))?;
                assets.push(Asset {
                    url_path: format!("/{path}"),
                    content_type: content_type(&file)?,
                    immutable: false,
                    file,
                    brotli: None,
                });
            }
        }
        Ok(assets)
    }

    /// The browser code, under names with one hash of both files: a page never gets the script of one build and the
    /// module of another. Returns the name without `.js` and `_bg.wasm`.
    fn pkg_assets(pkg: &Path, assets: &mut Vec<Asset>) -> Result<Option<String>> {
        let script = pkg.join(format!("{PKG_NAME}.js"));
        let module = pkg.join(format!("{PKG_NAME}_bg.wasm"));
        if !(script.exists() && module.exists()) {
            return Ok(None);
        }
        let mut hasher = DefaultHasher::new();
        for file in [&script, &module] {
            hasher.write(&fs::read(file)?);
        }
        let name = format!("{PKG_NAME}-{:016x}", hasher.finish());
        for (file, suffix) in [(script, ".js"), (module, "_bg.wasm")] {
            assets.push(Asset {
                url_path: format!("/pkg/{name}{suffix}"),
                content_type: content_type(&file)?,
                immutable: true,
                brotli: compressed(&file)?,
                file,
            });
        }
        Ok(Some(name))
    }

    /// A kind of file that is not listed stops the build: served with a guessed type, a browser would refuse or sniff it.
    fn content_type(file: &Path) -> Result<&'static str> {
        let extension = file.extension().and_then(|extension| extension.to_str());
        let name = match extension.unwrap_or_default() {
            "css" => "text/css; charset=utf-8",
            "html" => "text/html; charset=utf-8",
            "ico" => "image/x-icon",
            "jpg" => "image/jpeg",
            "js" => "text/javascript; charset=utf-8",
            "json" => "application/json",
            "png" => "image/png",
            "svg" => "image/svg+xml",
            "txt" => "text/plain; charset=utf-8",
            "wasm" => "application/wasm",
            "webmanifest" => "application/manifest+json",
            "webp" => "image/webp",
            "woff2" => "font/woff2",
            "xml" => "application/xml",
            _ => {
                return Err(format!("{}: add its content type to build.rs", file.display()).into());
            }
        };
        Ok(name)
    }

    /// The `.br` that `cargo xtask wasm` put beside a file. One that is older than the file belongs to another build.
    fn compressed(file: &Path) -> Result<Option<PathBuf>> {
        let mut name = file.as_os_str().to_owned();
        name.push(".br");
        let compressed = PathBuf::from(name);
        if !compressed.exists() {
            return Ok(None);
        }
        let is_current =
            fs::metadata(&compressed)?.modified()? >= fs::metadata(file)?.modified()?;
        Ok(is_current.then_some(compressed))
    }
}
