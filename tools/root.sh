# Clean Debian 12 roots to try things in; for tools/try-deb and tools/try-bare. Source it as root.
#
# The mirrors are those of this machine's apt, and so is how they and the language registries are
# reached. Nothing else of the machine's gets in.

# The settings of the environment that say how registries are reached, and whom to trust.
registry_variables() {
  env -0 | grep -zE '^([A-Za-z]*_?(https?|all|no)_proxy|PIP_[A-Z_]+|NPM_CONFIG_[A-Za-z_]+|npm_config_[a-z_]+|GOPROXY|GONOSUMDB|GONOSUMCHECK|GOSUMDB|GOFLAGS|CARGO_(HTTP|REGISTRIES|REGISTRY|SOURCE|NET)_[A-Z_]+|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO)=' ||
    true
}

# make_root FOLDER: a minimal Debian 12 with the machine's sources of packages.
make_root() {
  local root=$1 mirror
  # shellcheck disable=SC2016 # Apt expands these.
  mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME) $(COMPONENT)' |
    awk '$2 == "bookworm" && $3 == "main" { print $1; exit }')
  [[ -n $mirror ]] || {
    echo "the apt of this machine knows no mirror of bookworm" >&2
    return 1
  }
  rm -rf "$root.new"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root.new" "$mirror" \
    >"$root.log" 2>&1 || {
    tail -n 20 "$root.log" >&2
    return 1
  }
  copy_registry_settings "$root.new"
  rm -rf "$root"
  mv "$root.new" "$root"
}

# copy_registry_settings ROOT: the machine's ways to its mirrors and registries, and whom it trusts.
copy_registry_settings() {
  local root=$1 setting
  rm -f "$root/etc/apt/sources.list"
  for setting in /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d \
    /etc/apt/preferences.d /etc/pip.conf /etc/npmrc /etc/hosts /etc/resolv.conf \
    /usr/share/keyrings /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt \
    "$HOME/.config/pip/pip.conf" "$HOME/.npmrc" "$HOME/.cargo/config.toml"; do
    [[ -e $setting ]] || continue
    mkdir -p "$root$(dirname "$setting")"
    rm -rf "${root:?}$setting"
    cp -aL "$setting" "$root$setting"
  done
}

# in_root ROOT COMMAND …: runs a command in a root, as root, with mounts of its own that end with it.
in_root() {
  local root=$1
  shift
  local -a variables=()
  mapfile -d '' variables < <(registry_variables)
  # shellcheck disable=SC2016 # The inner shell expands these.
  unshare --mount --pid --fork --kill-child bash -c '
    root=$1; shift
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount -t sysfs sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    exec chroot "$root" "$@"' in_root "$root" \
    env -i "${variables[@]}" PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
}
