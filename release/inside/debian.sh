# In a clean Debian that has neither pip nor a compiler: the package, and all that should work with it.
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -q --no-install-recommends ./xentool_*.deb
cd /
xentool --version
xentool report "$OLDPWD/xen-4.17-pv1.xentrace.xz" >report
grep multicall report
man xentool-lab-up | grep -A 1 '^NAME'
# As a shell that meets the word for the first time does it; the loader's name is of its release.
bash -c '. /usr/share/bash-completion/bash_completion
    if type __load_completion >/dev/null 2>&1; then __load_completion xentool; else _comp_load xentool; fi
    complete -p xentool'
COMP_WORDS='xentool rep' COMP_CWORD=1 _XENTOOL_COMPLETE=bash_complete xentool | grep report
# No Xen is here, which it says.
xentool doctor
# Nothing of it stays but what dpkg leaves of any package.
apt-get purge -y -q xentool
test ! -e /usr/lib/python3/dist-packages/xentool
test ! -e /usr/bin/xentool
